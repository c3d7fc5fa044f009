"""The users of NATS as its configuration has them, out of the table of what each service may do."""

import json
from collections.abc import Mapping, Sequence

from shared.bus.permissions import ACCESS, OPERATOR, Permissions, permissions_of


def users(passwords: Mapping[str, str]) -> str:
    """The list ``users`` of NATS's ``authorization``.

    Args:
        passwords: of the operator and of each service, as they are to stand there: in quotes, or a variable such as
            ``$NATS_API_PASSWORD``.
    """
    entries = [_entry(OPERATOR, passwords[OPERATOR])]
    entries += [_entry(service, passwords[service], permissions_of(service)) for service in ACCESS]
    return "users: [\n" + "\n".join(entries) + "\n]\n"


def _entry(user: str, password: str, permissions: Permissions | None = None) -> str:
    head = f'  {{\n    user: "{user}", password: {password}\n'
    if permissions is None:
        return head + "  }"
    return (
        f"{head}    permissions: {{\n"
        f"      publish: {{\n{_list('allow', permissions.publish)}{_list('deny', permissions.never_publish)}      }}\n"
        f"      subscribe: {{\n{_list('allow', permissions.subscribe)}      }}\n"
        "    }\n  }"
    )


def _list(name: str, subjects: Sequence[str]) -> str:
    if not subjects:
        return ""
    lines = "".join(f"          {json.dumps(subject)}\n" for subject in subjects)
    return f"        {name}: [\n{lines}        ]\n"

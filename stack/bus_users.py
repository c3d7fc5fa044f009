"""Who may connect to NATS, as its configuration has it: out of the table of what each service may do."""

import json
from collections.abc import Mapping, Sequence

from shared.bus.permissions import ACCESS, OPERATOR, SYSTEM, Permissions, permissions_of, system_permissions

USERS = (OPERATOR, *ACCESS, SYSTEM)
"""All users that stand in the configuration."""

_MOST_SUBSCRIPTIONS = 2000


def authorization(passwords: Mapping[str, str], issuer: str) -> str:
    """The blocks ``authorization`` and ``accounts`` of NATS's configuration.

    Args:
        passwords: of all :data:`USERS`, as they are to stand there: in quotes, or a variable such as ``$NATS_API_PASSWORD``.
        issuer: the public key that the api signs bus users with, or such a variable.
    """
    entries = [_entry(OPERATOR, passwords[OPERATOR])]
    entries += [_entry(service, passwords[service], permissions_of(service)) for service in ACCESS]
    listed = "\n".join(entries)
    known = ", ".join(f'"{user}"' for user in USERS)
    return f"""# Of one connection; a worker has some for each slot.
max_subscriptions: {_MOST_SUBSCRIPTIONS}
authorization {{
users: [
{listed}
]
# About everybody else the api is asked.
auth_callout {{ issuer: {issuer}, auth_users: [{known}] }}
}}
accounts {{
$SYS {{ users: [
{_entry(SYSTEM, passwords[SYSTEM], system_permissions())}
] }}
}}
"""


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

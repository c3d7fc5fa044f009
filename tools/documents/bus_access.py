"""docs/bus-access.md: who may do what on the bus, out of the table that NATS is configured by."""

from collections.abc import Callable, Iterable

from shared.bus.permissions import ACCESS, Permissions, bus_user_permissions, permissions_of

BUS_USER = "bus user"
# Stand for any organization and any of its users; a subject with them is that user's own.
_ORG, _USERNAME = "<org>", "<user>"
_INTRODUCTION = """\
# Access to the bus

Who may publish and subscribe to what in NATS. Everything else is refused: `tests/integration/test_bus_permissions.py` has each
user try the subjects of all others on a real server. [Operations](operations.md#users-of-nats) explains the users. A bus user is
one of an organization, here `<org>`, and named `<user>`. The operator's user, `millrace`, may do everything; `api-system` may see
and end connections, in the system account.
"""
_SECTIONS: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("Events of the log", "Publish", lambda subject: subject.startswith("jobs.")),
    ("Beside the log", "Publish", lambda subject: subject[0] not in "$_"),
    ("Taking work", "Publish", lambda subject: ".MSG.NEXT." in subject or subject.startswith("$JS.ACK.")),
    ("Writing to buckets", "Publish", lambda subject: subject.startswith("$KV.")),
    ("Reading", "Publish", lambda subject: any(verb in subject for verb in (".INFO", ".GET."))),
    ("Making and removing", "Publish", lambda subject: subject.startswith("$JS.")),
    ("Answers", "Publish", lambda subject: True),
)


def access_tables() -> str:
    """The page, but for its first line."""
    users = {service: permissions_of(service) for service in ACCESS}
    users[BUS_USER] = bus_user_permissions(_ORG, _USERNAME)
    parts = [_INTRODUCTION]
    left = _all(permissions.publish for permissions in users.values())
    for title, verb, belongs in _SECTIONS:
        subjects = [subject for subject in left if belongs(subject)]
        left = [subject for subject in left if subject not in subjects]
        parts.append(f"## {title}\n\n{_table(verb, subjects, users, lambda each: each.publish)}\n")
    heard = _all(permissions.subscribe for permissions in users.values())
    parts.append(f"## Listening\n\n{_table('Subscribe', heard, users, lambda each: each.subscribe)}\n")
    denied = _all(permissions.never_publish for permissions in users.values())
    parts.append(
        "## Never\n\nWhat goes before what is allowed above, where that has wildcards.\n\n"
        f"{_table('Publish', denied, users, lambda each: each.never_publish)}\n"
    )
    return "\n".join(parts)


def _all(subjects: Iterable[tuple[str, ...]]) -> list[str]:
    return sorted({subject for some in subjects for subject in some})


def _table(
    verb: str, subjects: list[str], users: dict[str, Permissions], which: Callable[[Permissions], tuple[str, ...]]
) -> str:
    lines = [f"| {verb} | {' | '.join(users)} |", "|---|" + "---|" * len(users)]
    for subject in subjects:
        cells = ("×" if subject in which(permissions) else "" for permissions in users.values())
        lines.append(f"| `{subject}` | {' | '.join(cells)} |")
    return "\n".join(lines)

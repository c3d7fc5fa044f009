"""Which documents are made, and from what."""

import re
from pathlib import Path

from shared.bus.permissions import OPERATOR
from stack.bus_users import USERS, authorization
from tools.dashboards.boards import dashboard_files
from tools.documents.asyncapi import asyncapi_yaml
from tools.documents.bus_access import access_tables
from tools.documents.cli import cli_reference
from tools.documents.errors import error_module, error_tables
from tools.documents.events import event_sections
from tools.documents.metrics import metric_tables
from tools.documents.settings import env_example, settings_tables

MADE = "<!-- Made by `python -m tools.documents`. Change it there. -->"
_CONFIGURATION = """\
# Who may connect to NATS. Made by `python -m tools.documents` out of shared/bus/permissions.py.
# The passwords and the issuer come from the environment, the passwords in quotes.

"""
_SECTION = re.compile(r"(<!-- made: events -->\n).*?(<!-- end of what is made -->)", re.DOTALL)


def documents(root: Path) -> dict[str, str]:
    """The text that each generated document should have, by its path below ``root``.

    Of docs/events.md one section is made; the rest of it is taken as it stands.

    Raises:
        ValueError: docs/events.md has no such section.
    """
    events = (root / "docs/events.md").read_text()
    if not _SECTION.search(events):
        raise ValueError("docs/events.md lacks the section that is made")
    sections = event_sections()
    variables = {user: f"$NATS_{user.upper().replace('-', '_')}_PASSWORD" for user in USERS}
    passwords = variables | {OPERATOR: "$NATS_PASSWORD"}
    return {
        **dashboard_files(),
        "deploy/nats-users.conf": f"{_CONFIGURATION}{authorization(passwords, '$NATS_ISSUER')}",
        ".env.example": env_example(),
        "console/lib/errors.js": f"// Made by `python -m tools.documents`. Change it there.\n{error_module()}",
        "docs/bus-access.md": f"{MADE}\n\n{access_tables()}",
        "docs/cli.md": f"{MADE}\n\n{cli_reference()}",
        "docs/errors.md": f"{MADE}\n\n{error_tables()}",
        "docs/metrics.md": f"{MADE}\n\n{metric_tables()}",
        "docs/configuration.md": f"{MADE}\n\n{settings_tables()}",
        "docs/events.md": _SECTION.sub(lambda match: f"{match[1]}\n{sections}\n{match[2]}", events),
        "docs/asyncapi.yaml": f"# Made by `python -m tools.documents`. Change it there.\n{asyncapi_yaml()}",
    }

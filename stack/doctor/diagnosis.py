"""All checks, one after the other."""

import os
from collections.abc import AsyncIterator

from stack.credentials import load_or_create
from stack.doctor.finding import Finding, skipped
from stack.doctor.machine import look_at_machine
from stack.doctor.organization import look_at_organization
from stack.doctor.servers import look_at_servers, read_settings
from stack.layout import Layout
from stack.lifecycle import supervisor_of
from stack.services import environment

_DATABASE = "MILLRACE_API_DATABASE_URL"


async def diagnose(layout: Layout) -> AsyncIterator[Finding]:
    """Findings as they come. Nothing is changed, but for an object that is written into the storage and removed."""
    for finding in look_at_machine(layout):
        yield finding
    if supervisor_of(layout):
        given = environment("api", layout, load_or_create(layout.state), os.environ)
    elif _DATABASE in os.environ:
        given = dict(os.environ)
    else:
        yield skipped(
            "bus, database, clock", f"no stack is up here, and {_DATABASE} is not set", "Start it: ./millrace up"
        )
        given = {}
    if given:
        settings = read_settings(given)
        if isinstance(settings, Finding):
            yield settings
        else:
            async for finding in look_at_servers(settings):
                yield finding
    for finding in look_at_organization():
        yield finding

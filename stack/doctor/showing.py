"""How findings are shown: as lines with their remedies, or as JSON."""

import json
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from millrace_client.cli.display import harmless
from stack.doctor.diagnosis import diagnose
from stack.doctor.finding import Finding, Level
from stack.layout import Layout

FAILED = 1
_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILED: "bold red", Level.SKIPPED: "dim"}


async def show(layout: Layout, *, as_json: bool) -> int:
    """Show findings as they come; the exit status is 1 where one has failed."""
    console = Console(highlight=False, soft_wrap=True)
    levels: list[Level] = []
    async for finding in diagnose(layout):
        levels.append(finding.level)
        if as_json:
            print(json.dumps(asdict(finding), ensure_ascii=False), flush=True)
        else:
            _line(console, finding)
    if not as_json:
        console.print(_verdict(levels))
    return FAILED if Level.FAILED in levels else 0


def _line(console: Console, finding: Finding) -> None:
    console.print(
        Text.assemble((f"{finding.level:<8}", _STYLES[finding.level]), harmless(f"{finding.check}: {finding.found}"))
    )
    if finding.remedy:
        console.print(Text(f"        {harmless(finding.remedy)}", "bold"))


def _verdict(levels: list[Level]) -> str:
    if failed := levels.count(Level.FAILED):
        return f"{failed} of {len(levels)} checks failed."
    return "All that could be looked at works." if Level.SKIPPED in levels else "Everything works."

"""docs/errors.md, and what the console says of errors, out of the table of error codes."""

import json

from shared.errors import ERRORS, ErrorCode

_INTRODUCTION = """\
# Error codes

A job that ends as `error` gives the reason in three members: `error_code` is one of the codes below and does not change between
versions; `error_message` is a sentence for a person (the one below, or a more exact one in its place); `error_detail` has
the details, such as the last lines of ffmpeg.

*Retry* states whether the same job, posted again, may succeed: at once if the cause is temporary, otherwise after doing what the
sentence asks for. If it says no, only another input or another request helps.
"""
_WHO = {
    "you": "## For whoever posted the job",
    "operator": "## For the operator\n\nThe customer cannot fix these. The message that was given up on is kept: see"
    " [dead letters](operations.md#dead-letters).",
}


def error_tables() -> str:
    """The whole document, but for its first line."""
    parts = [_INTRODUCTION]
    for who, heading in _WHO.items():
        rows = [_row(code, error) for code, error in ERRORS.items() if error.who == who]
        parts.append("\n".join([heading, "", "| Code | Message | Retry |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def error_module() -> str:
    """The console's module: who can mend an error, and whether the same job may succeed later, by code."""
    rows = {code: {"who": error.who, "retryable": error.retryable} for code, error in ERRORS.items()}
    return f"export const ERRORS = {json.dumps(rows, indent=2)};\n"


def _row(code: str, error: ErrorCode) -> str:
    return f"| `{code}` | {error.message} | {'may help' if error.retryable else 'no'} |"

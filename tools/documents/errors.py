"""docs/errors.md, out of the table of error codes."""

from shared.errors import ERRORS, ErrorCode

_INTRODUCTION = """\
# Error codes

A job that ends as `error` says why three times: `error_code` is one of the codes below and does not change between
versions; `error_message` is a sentence for a person (the one below, or a more exact one in its place); `error_detail` has
what exactly happened, such as the last lines of ffmpeg.

*Retry* says whether the same job, posted again, may succeed: at once where the cause passes by itself, else after what the
sentence asks for is done. Where it says no, only another input or another order helps.
"""
_WHO = {
    "you": "## For whoever posted the job",
    "operator": "## For the operator\n\nThe customer can't mend these. The message that was given up on is kept: see"
    " [dead letters](operations.md#dead-letters).",
}


def error_tables() -> str:
    """The whole document, but for its first line."""
    parts = [_INTRODUCTION]
    for who, heading in _WHO.items():
        rows = [_row(code, error) for code, error in ERRORS.items() if error.who == who]
        parts.append("\n".join([heading, "", "| Code | Message | Retry |", "|---|---|---|", *rows, ""]))
    return "\n".join(parts)


def _row(code: str, error: ErrorCode) -> str:
    return f"| `{code}` | {error.message} | {'may help' if error.retryable else 'no'} |"

"""Ids of contents. Pure."""

import re

_FORMS = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def parse_content_id(text: str) -> str:
    """A content id, as a UUID with or without hyphens, in our form: 32 hexadecimal digits, lower case.

    Raises:
        ValueError: it is neither.
    """
    if not _FORMS.fullmatch(text):
        raise ValueError("a content id is a UUID, with or without hyphens")
    return text.replace("-", "").lower()

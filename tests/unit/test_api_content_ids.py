"""Ids of contents in the forms that clients write them."""

import pytest

from services.api.contract.content_ids import parse_content_id

PLAIN = "8216dcdb90c34a4f8abf1671630a8817"
HYPHENATED = "8216dcdb-90c3-4a4f-8abf-1671630a8817"


@pytest.mark.parametrize("text", [PLAIN, HYPHENATED, PLAIN.upper(), HYPHENATED.upper()])
def test_both_forms_are_one(text: str) -> None:
    assert parse_content_id(text) == PLAIN


@pytest.mark.parametrize("text", ["", PLAIN[1:], PLAIN + "0", f"{{{HYPHENATED}}}", "8216dcdb90c3-4a4f8abf1671630a8817", PLAIN[:-1] + "g", PLAIN + "\n"])  # fmt: skip
def test_nothing_else_is_one(text: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        parse_content_id(text)

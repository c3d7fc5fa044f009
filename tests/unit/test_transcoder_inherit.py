"""Which offered parts a transcoder takes: those that it would make just so itself."""

from typing import Any

import pytest

from services.transcoder.command import Tools
from services.transcoder.inherit import inherited
from shared.encryption.protection import Protection
from shared.media.result import PartRecord
from tests.support.encoded import make_fetched, make_plan, make_record

RECIPE, TOOLS = "5" * 64, "7" * 64
PLAN = make_plan()
PART = "v0000"


class Shelf:
    """A work space with one part on offer."""

    def __init__(self, record: PartRecord) -> None:
        self._text = record.model_dump_json()
        self.refused: list[str] = []

    async def offered(self, _org: str, _job: str, _part: str) -> str:
        return self._text

    async def accept(self, _org: str, _job: str, _part: str) -> str:
        return self._text

    async def refuse(self, _org: str, _job: str, part: str) -> None:
        self.refused.append(part)


def protection(scheme: str) -> Protection | None:
    if not scheme:
        return None
    key = {"tracks": "all", "kid": "a" * 32, "iv": "b" * 32}
    return Protection.model_validate({"scheme": scheme, "content_id": "c" * 32, "keys": [key]})


@pytest.mark.parametrize(
    ("made", "wanted", "taken"),
    [
        ({}, "", True),
        ({"layout": "cbcs"}, "cbcs", True),
        # Whole segments are encrypted as they are.
        ({}, "aes-128", True),
        ({}, "cbcs", False),
        ({"layout": "cbcs"}, "", False),
        ({"layout": "cbcs"}, "aes-128", False),
        ({"tools": "8" * 64}, "", False),
        ({"recipe": "4" * 64}, "", False),
    ],
)
async def test_a_part_is_taken_where_it_would_be_made_alike(made: dict[str, Any], wanted: str, taken: bool) -> None:
    record = make_record(PLAN, PART, recipe=RECIPE).model_copy(update={"tools": TOOLS, **made})
    space: Any = Shelf(record)
    fetched = make_fetched("org001", "5KQfnXCg8Qj", PLAN).model_copy(
        update={"recipe": RECIPE, "protection": protection(wanted)}
    )
    found = await inherited(space, Tools("ffmpeg", digest=TOOLS), fetched, PART)
    assert (found is not None) is taken
    assert space.refused == ([] if taken else [PART])


def test_records_of_before_are_clear() -> None:
    record = make_record(PLAN, PART).model_dump(mode="json", exclude={"layout"})
    assert PartRecord.model_validate(record).layout == "clear"

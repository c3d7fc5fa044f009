"""HEVC with more than one layer, or less than a frame, in a picture: what ffprobe does not tell of."""

from pathlib import Path

import pytest

from shared.errors import PermanentError
from tests.support.clips import made
from tests.support.parts import encode, fetched, probed
from tests.support.patches import patches

FIELD = Path(__file__).parents[2].parent / "shared" / "media" / "field"
field_only = pytest.mark.skipif(not FIELD.exists(), reason="no files of the field")
# The fields of 25 frames a second, each as a picture; and the same without a word of fields.
FIELDS, FRAMES = "log-level=none:interlace=1", "log-level=none"


def hevc(parameters: str, suffix: str) -> Path:
    graph = "testsrc=s=320x180:r=50:d=0.5"
    encoder = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", parameters)
    return made(f"fields.{suffix}", "-f", "lavfi", "-i", graph, *encoder)


@pytest.mark.parametrize("suffix", ["ts", "mp4", "mkv"])
def test_fields_that_are_pictures_are_refused(suffix: str) -> None:
    with pytest.raises(PermanentError) as refused:
        probed(hevc(FIELDS, suffix))
    assert refused.value.code == "input_unsupported_codec" and "fields" in refused.value.message
    assert not probed(hevc(FRAMES, suffix)).source.video.interlaced


@field_only
def test_fields_of_the_field_are_refused() -> None:
    with pytest.raises(PermanentError, match="field-coded"):
        probed(FIELD / "m08-hevc-fields.ts")


@field_only
def test_the_alpha_layer_is_laid_on_black(tmp_path: Path) -> None:
    file = FIELD / "m12-mov-hevc-alpha.mov"
    event = fetched(file)
    assert event.source.video.pixel_format == "yuva420p"
    left, *_, right = patches(encode(event, file, tmp_path).join("144p"), 8)
    for clear in (left, right):
        assert clear[0] <= 20 and abs(clear[1] - 128) <= 4 and abs(clear[2] - 128) <= 4

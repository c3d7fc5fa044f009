"""Which key a track is encrypted with."""

import pytest

from services.fetcher.keys.keys import tracks_of
from shared.encryption.keys import ContentKey
from shared.encryption.protection import ProtectedKey, Protection
from tests.support.samples import plan


def protection(*tracks: str) -> Protection:
    keys = [{"tracks": name, "kid": f"{number:032x}", "iv": "0" * 32} for number, name in enumerate(tracks)]
    return Protection.model_validate({"scheme": "cbcs", "content_id": "a" * 32, "keys": keys})


def chosen(found: ProtectedKey | None) -> str | None:
    return found.tracks if found else None


@pytest.mark.parametrize(
    ("folder", "pixels", "keys", "expected"),
    [
        ("480p", 854 * 480, ("all",), "all"),
        ("audio/0-en", 0, ("all",), "all"),
        ("text/0-en", 0, ("all",), None),
        ("576p", 1024 * 576, ("audio", "sd", "hd"), "sd"),
        ("720p", 1280 * 720, ("audio", "sd", "hd"), "hd"),
        ("1080p-hevc", 1920 * 1080, ("audio", "video"), "video"),
        ("audio/0-en", 0, ("audio", "sd", "hd"), "audio"),
    ],
)
def test_the_first_key_that_is_for_a_track_counts(
    folder: str, pixels: int, keys: tuple[str, ...], expected: str | None
) -> None:
    assert chosen(protection(*keys).key_for(folder, pixels=pixels)) == expected


def test_a_track_without_a_key_is_an_error_and_never_clear() -> None:
    with pytest.raises(LookupError, match="audio/0-en"):
        protection("sd", "hd").key_for("audio/0-en")


def test_a_plan_needs_keys_for_what_it_has() -> None:
    film, silent = plan(), plan(audio=0)
    assert tracks_of(film) == {"sd", "audio"}
    (rung,) = silent.rungs
    large = rung.model_copy(update={"name": "720p", "width": 1280, "height": 720})
    assert tracks_of(silent.model_copy(update={"rungs": (rung, large)})) == {"sd", "hd"}
    assert tracks_of(film.model_copy(update={"rungs": ()})) == {"audio"}


def test_no_key_stands_in_the_text_of_one() -> None:
    key = ContentKey("all", kid=b"i" * 16, iv=b"v" * 16, key=b"secretsecretsecr")
    assert "secret" not in repr(key)

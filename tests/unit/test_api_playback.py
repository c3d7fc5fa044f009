"""Playlists, manifests and cues for players of private buckets: every reference leads on, and none leads out."""

from contextlib import suppress
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.contract import playback
from services.api.contract.playback import (
    LeadsOutside,
    TooManyReferences,
    check_path,
    is_rewritten,
    rewritten,
)

QUERY = "expires=9&signature=ab"
KEY = "https://video.example.com/api/v1/a1b2c3/aes_key/cf6c30dd50c1492e82344ea3e139da1d/"

MULTIVARIANT = """#EXTM3U
#EXT-X-VERSION:7
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",URI="audio/en/audio.m3u8"
#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS="avc1.4d401e,mp4a.40.2",AUDIO="audio"
480p/video.m3u8
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,URI="480p/iframes.m3u8"
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://abc",KEYFORMAT="com.apple.streamingkeydelivery"
"""
MEDIA = f"""#EXTM3U
#EXT-X-MAP:URI="init.mp4"
#EXT-X-KEY:METHOD=AES-128,URI="{KEY}",IV=0x01
#EXTINF:6.000000,
video_00000.m4s
#EXT-X-BYTERANGE:10@0
video_00001.m4s\r
#EXT-X-ENDLIST
"""
MANIFEST = """<MPD><Period><AdaptationSet>
<SegmentTemplate timescale="30" initialization="480p/init.mp4" media="480p/video_$Number%05d$.m4s" startNumber="0"/>
</AdaptationSet><AdaptationSet><Representation><BaseURL>text/en/text.vtt</BaseURL></Representation></AdaptationSet>
<AdaptationSet><ContentProtection><Laurl>https://keys.example.com/?a=1&amp;b=2</Laurl></ContentProtection></AdaptationSet>
</Period></MPD>"""
CUES = "WEBVTT\n\n00:00:00.000 --> 00:00:10.000\nsprite_image.jpg#xywh=0,0,160,90\n"


def sign(path: str) -> str:
    return f"https://bucket.example.com/out/{path}?X-Amz-Signature=1"


def led(path: str, text: str, **keys: str) -> str:
    return rewritten(path, text, sign=sign, query=QUERY, keys=keys)


def test_playlists_lead_to_playlists_here_and_to_media_at_the_storage() -> None:
    assert led("video.m3u8", MULTIVARIANT).splitlines() == [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="English",URI="audio/en/audio.m3u8?{QUERY}"',
        '#EXT-X-STREAM-INF:BANDWIDTH=800000,CODECS="avc1.4d401e,mp4a.40.2",AUDIO="audio"',
        f"480p/video.m3u8?{QUERY}",
        f'#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,URI="480p/iframes.m3u8?{QUERY}"',
        '#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://abc",KEYFORMAT="com.apple.streamingkeydelivery"',
    ]
    media = led("480p/video.m3u8", MEDIA)
    assert f'#EXT-X-MAP:URI="{sign("480p/init.mp4")}"' in media
    assert f"{sign('480p/video_00000.m4s')}\n" in media
    assert f"{sign('480p/video_00001.m4s')}\r\n" in media


def test_what_grows_names_each_segment_the_same_at_every_time() -> None:
    growing = MEDIA.replace("#EXT-X-ENDLIST\n", "")
    shown = led("480p/video.m3u8", growing)
    assert f'#EXT-X-MAP:URI="init.mp4?{QUERY}"' in shown
    assert f"video_00000.m4s?{QUERY}\n" in shown
    assert "X-Amz" not in shown


def test_keys_are_asked_for_at_signed_addresses_and_others_where_they_are() -> None:
    signed = rewritten("480p/video.m3u8", MEDIA, sign=sign, query=QUERY, keys={KEY: f"{KEY}?expires=1"})
    assert f'URI="{KEY}?expires=1",IV=0x01' in signed
    assert f'URI="{KEY}",IV=0x01' in led("480p/video.m3u8", MEDIA)


def test_manifests_keep_their_templates() -> None:
    root = ElementTree.fromstring(led("video.mpd", MANIFEST))
    [template] = root.iter("SegmentTemplate")
    assert template.attrib == {
        "timescale": "30",
        "initialization": f"480p/init.mp4?{QUERY}",
        "media": f"480p/video_$Number%05d$.m4s?{QUERY}",
        "startNumber": "0",
    }
    assert [found.text for found in root.iter("BaseURL")] == [f"text/en/text.vtt?{QUERY}"]
    assert [found.text for found in root.iter("Laurl")] == ["https://keys.example.com/?a=1&b=2"]


def test_cues_lead_to_the_picture() -> None:
    assert led("sprite/sprite.vtt", CUES) == CUES.replace("sprite_image.jpg", sign("sprite/sprite_image.jpg"))


@pytest.mark.parametrize(
    "reference",
    [
        "../secret.mp4",
        "a/../../secret.mp4",
        "..%2Fsecret.mp4",
        "%2e%2e/secret.mp4",
        "secret.txt",
        "video_00000.m4s?a=b",
        "a\\..\\b.m4s",
    ],
)
@pytest.mark.parametrize("form", ['#EXT-X-MAP:URI="{}"', "{}"])
def test_what_leads_out_of_the_output_is_refused(reference: str, form: str) -> None:
    with pytest.raises(LeadsOutside):
        led("video.m3u8", f"#EXTM3U\n{form.format(reference)}\n")
    with pytest.raises(LeadsOutside):
        led("video.mpd", f'<MPD><SegmentTemplate media="{reference}"/></MPD>')


@pytest.mark.parametrize(
    "reference", ["https://other.example.com/a.m4s", "//other.example.com/a.m4s", "/a.m4s", "data:,x"]
)
def test_what_leads_elsewhere_is_not_signed(reference: str) -> None:
    text = f"#EXTM3U\n{reference}\n"
    assert led("video.m3u8", text) == text


def test_a_manifest_of_beginnings_alone_is_read_in_one_go() -> None:
    # Were each of them looked for an end through all that follows, this would take an hour.
    text = " media=" * 200_000
    assert led("video.mpd", text) == text


@pytest.mark.parametrize(
    ("path", "reference"),
    [
        ("video.m3u8", "a.mp4\n"),
        ("video.mpd", ' media="a.mp4"'),
        ("sprite/sprite.vtt", "a.jpg#xywh=0,0,1,1\n"),
    ],
)
def test_no_more_references_are_followed_than_an_output_has(
    path: str, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(playback, "MOST_REFERENCES", 100)

    def short(_path: str) -> str:
        return "a"

    def follow(count: int) -> str:
        return rewritten(path, reference * count, sign=short, query="", keys={})

    assert follow(100)
    with pytest.raises(TooManyReferences):
        follow(101)


@given(st.text(max_size=40), st.sampled_from(["video.m3u8", "480p/video.m3u8"]))
def test_whatever_stands_there_only_paths_of_the_output_are_signed(reference: str, path: str) -> None:
    signed: list[str] = []

    def note(target: str) -> str:
        signed.append(target)
        return "signed"

    with suppress(LeadsOutside):
        rewritten(path, f'{reference}\n#EXT-X-MAP:URI="{reference}"\n', sign=note, query=QUERY, keys={})
    for target in signed:
        assert check_path(target) == target
        assert not is_rewritten(target)


@pytest.mark.parametrize(
    "path",
    ["", "/video.m3u8", "a//b.m4s", "../video.m3u8", "a/./b.m4s", "a/..", "video.m3u8/", "key.bin", "a\0.m4s", "a"],
)
def test_paths_that_no_output_has_are_not_looked_for(path: str) -> None:
    with pytest.raises(LeadsOutside):
        check_path(path)

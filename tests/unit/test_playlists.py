"""HLS playlists: exact texts for a small stream, and what holds for all of them."""

from dataclasses import replace
from fractions import Fraction
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.uploader.manifest.assembly import assemble
from services.uploader.manifest.playlists import (
    average_bandwidth,
    bandwidth,
    exact_seconds,
    iframe_playlist,
    in_listed_order,
    media_playlist,
    multivariant_playlist,
)
from services.uploader.manifest.presentation import Presentation, VideoRendition
from shared.media.source import Purpose
from tests.support.encoded import make_plan, make_result


def presentation(**options: object) -> Presentation:
    plan = make_plan(**options)  # type: ignore[arg-type]
    return assemble(plan, {part: make_result(plan, part) for part in plan.release_order})


def test_master_playlist() -> None:
    assert multivariant_playlist(presentation(frames=400, languages=("en", "de"))) == dedent("""\
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-INDEPENDENT-SEGMENTS

        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="en",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/0-en/audio.m3u8"
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="de",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="audio/1-de/audio.m3u8"

        #EXT-X-STREAM-INF:BANDWIDTH=1432,AVERAGE-BANDWIDTH=1063,CODECS="avc1.640014,mp4a.40.2",RESOLUTION=854x480,FRAME-RATE=25.000,VIDEO-RANGE=SDR,AUDIO="audio",CLOSED-CAPTIONS=NONE
        480p/video.m3u8
        #EXT-X-STREAM-INF:BANDWIDTH=832,AVERAGE-BANDWIDTH=613,CODECS="avc1.64000a,mp4a.40.2",RESOLUTION=426x240,FRAME-RATE=25.000,VIDEO-RANGE=SDR,AUDIO="audio",CLOSED-CAPTIONS=NONE
        240p/video.m3u8

        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=200,AVERAGE-BANDWIDTH=200,CODECS="avc1.64000a",RESOLUTION=426x240,VIDEO-RANGE=SDR,URI="240p/iframes.m3u8"
        #EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=200,AVERAGE-BANDWIDTH=200,CODECS="avc1.640014",RESOLUTION=854x480,VIDEO-RANGE=SDR,URI="480p/iframes.m3u8"
        """)


def test_a_silent_source_has_no_audio_group() -> None:
    text = multivariant_playlist(presentation(languages=()))
    assert "EXT-X-MEDIA" not in text
    assert "AUDIO=" not in text
    assert "mp4a" not in text


def test_subtitles_in_the_master() -> None:
    stream = presentation(frames=400, languages=(), texts=("en", None, "en"))
    texts = (stream.text[0], stream.text[1], replace(stream.text[2], label="en 2", forced=True))
    lines = multivariant_playlist(replace(stream, text=texts)).splitlines()
    assert [line for line in lines if "EXT-X-MEDIA:" in line] == [
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="en",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,FORCED=NO,URI="text/0-en/text.m3u8"',
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="Subtitles",LANGUAGE="und",DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="text/1-und/text.m3u8"',
        '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="en 2",LANGUAGE="en",DEFAULT=NO,AUTOSELECT=YES,FORCED=YES,URI="text/2-en/text.m3u8"',
    ]
    variants = [line for line in lines if "EXT-X-STREAM-INF" in line]
    assert len(variants) == 2
    assert all(',SUBTITLES="text",CLOSED-CAPTIONS=NONE' in line for line in variants)
    assert "SUBTITLES=" not in multivariant_playlist(presentation())


def test_only_one_text_of_a_kind_is_selected_by_itself_and_none_has_to_be_the_default() -> None:
    stream = presentation(texts=("en", "en", "de"))
    texts = tuple(replace(text, label=str(number), default=number == 1) for number, text in enumerate(stream.text))
    for shown, selected in (
        (texts, [False, True, True]),
        (tuple(replace(text, default=False) for text in texts), [True, False, True]),
    ):
        tags = [
            line for line in multivariant_playlist(replace(stream, text=shown)).splitlines() if "=SUBTITLES" in line
        ]
        assert ["AUTOSELECT=YES" in tag for tag in tags] == selected
        assert sum("DEFAULT=YES" in tag for tag in tags) == sum(text.default for text in shown)


def test_closed_captions_in_the_master() -> None:
    stream = with_captions("CC1", "SERVICE1")
    lines = multivariant_playlist(stream).splitlines()
    assert [line for line in lines if "TYPE=CLOSED" in line] == [
        '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC1",LANGUAGE="und",DEFAULT=NO,AUTOSELECT=YES,INSTREAM-ID="CC1"',
        '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="SERVICE1",LANGUAGE="und",DEFAULT=NO,AUTOSELECT=NO,INSTREAM-ID="SERVICE1"',
    ]
    assert all(line.endswith(',CLOSED-CAPTIONS="cc"') for line in lines if "EXT-X-STREAM-INF" in line)


def with_captions(*channels: str) -> Presentation:
    stream = presentation()
    return replace(stream, video=tuple(replace(one, captions=channels) for one in stream.video))


def test_playlist_of_text() -> None:
    stream = presentation(frames=400, texts=("en",))
    assert media_playlist(stream.text[0], stream.target) == dedent("""\
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-TARGETDURATION:6
        #EXT-X-MEDIA-SEQUENCE:0
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXTINF:6.000000,
        text_00000.vtt
        #EXTINF:6.000000,
        text_00001.vtt
        #EXTINF:4.000000,
        text_00002.vtt
        #EXT-X-ENDLIST
        """)


def test_media_playlist() -> None:
    stream = presentation(frames=400)
    assert media_playlist(stream.video[0], stream.target) == dedent("""\
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-TARGETDURATION:6
        #EXT-X-MEDIA-SEQUENCE:0
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXT-X-MAP:URI="init.mp4"
        #EXTINF:6.000000,
        video_00000.m4s
        #EXTINF:6.000000,
        video_00001.m4s
        #EXTINF:4.000000,
        video_00002.m4s
        #EXT-X-ENDLIST
        """)


def test_audio_playlist_follows_its_own_frames_the_priming_among_them() -> None:
    stream = presentation(frames=400)
    lines = media_playlist(stream.audio[0], stream.target).splitlines()
    assert lines[6:-1] == [
        "#EXTINF:6.016000,", "audio_00000.m4s", "#EXTINF:5.994667,", "audio_00001.m4s", "#EXTINF:4.010666,", "audio_00002.m4s",
    ]  # fmt: skip


def test_iframe_playlist() -> None:
    stream = presentation(frames=190)
    assert iframe_playlist(stream.video[0]) == dedent("""\
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-TARGETDURATION:2
        #EXT-X-MEDIA-SEQUENCE:0
        #EXT-X-PLAYLIST-TYPE:VOD
        #EXT-X-I-FRAMES-ONLY
        #EXT-X-MAP:URI="init.mp4"
        #EXTINF:2.000000,
        #EXT-X-BYTERANGE:50@24
        video_00000.m4s
        #EXTINF:2.000000,
        #EXT-X-BYTERANGE:50@114
        video_00000.m4s
        #EXTINF:2.000000,
        #EXT-X-BYTERANGE:50@204
        video_00000.m4s
        #EXTINF:1.600000,
        #EXT-X-BYTERANGE:50@24
        video_00001.m4s
        #EXT-X-ENDLIST
        """)


def test_without_key_frames_there_is_no_iframe_playlist() -> None:
    stream = presentation()
    plain = Presentation(tuple(replace(one, iframes=()) for one in stream.video), stream.audio)
    assert "I-FRAME" not in multivariant_playlist(plain)


@given(
    durations=st.lists(st.integers(1, 2_000_000), min_size=1, max_size=300),
    timescale=st.sampled_from([10_000, 24_000, 30_000, 44_100, 48_000, 60_000, 90_000]),
)
def test_durations_never_drift_from_the_media(durations: list[int], timescale: int) -> None:
    told = [Fraction(text) for text in exact_seconds(durations, timescale)]
    half_a_microsecond = Fraction(1, 2_000_000)
    for count in range(1, len(durations) + 1):
        assert abs(sum(told[:count]) - Fraction(sum(durations[:count]), timescale)) <= half_a_microsecond
    for seconds, ticks in zip(told, durations, strict=True):
        assert abs(seconds - Fraction(ticks, timescale)) <= 2 * half_a_microsecond


def test_ntsc_durations_are_exact() -> None:
    stream = presentation(frames=3600, frame_rate=Fraction(30000, 1001))
    lines = media_playlist(stream.video[0], stream.target).splitlines()
    # 59 frames a GOP: the largest whole number within two seconds.
    assert lines[6] == "#EXTINF:5.905900,"
    assert sum(Fraction(line[8:-1]) for line in lines if line.startswith("#EXTINF")) == Fraction(3600 * 1001, 30000)


def test_bandwidth_is_the_peak_of_video_and_of_the_sound_that_needs_most() -> None:
    stream = presentation(languages=("en", "de"))
    loud = replace(stream.audio[1], sizes=tuple(size * 10 for size in stream.audio[1].sizes))
    stream = Presentation(stream.video, (stream.audio[0], loud))
    for rendition in stream.video:
        assert bandwidth(stream, rendition) == rendition.peak_rate(6) + loud.peak_rate(6)
        assert average_bandwidth(stream, rendition) == rendition.average_rate + loud.average_rate


def at_rate(kilobits: int) -> VideoRendition:
    return VideoRendition(
        kind="video", folder=f"{kilobits}", codecs="avc1.640020", timescale=1, durations=(6,), sizes=(kilobits * 6000 // 8,),
        init_segment=b"", resolution="1080p", codec="h264", width=kilobits, height=kilobits, frame_rate=Fraction(25),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rates", "order"),
    [
        ((300, 1000, 2000, 5000), ["2000", "300", "1000", "5000"]),
        ((300, 700), ["700", "300"]),
        ((4000, 8000), ["4000", "8000"]),
        ((900,), ["900"]),
    ],
)
def test_the_first_variant_is_the_one_to_begin_with(rates: tuple[int, ...], order: list[str]) -> None:
    stream = Presentation(tuple(at_rate(rate) for rate in rates), ())
    assert [rendition.folder for rendition in in_listed_order(stream)] == order


def test_only_one_sound_of_a_language_is_selected_by_itself() -> None:
    stream = presentation(languages=("en", "en", "de", None))
    sounds = (stream.audio[0], replace(stream.audio[1], label="en 2"), *stream.audio[2:])
    # The second English one is the default.
    sounds = (replace(sounds[0], default=False), replace(sounds[1], default=True), *sounds[2:])
    tags = [
        line for line in multivariant_playlist(Presentation(stream.video, sounds)).splitlines() if "TYPE=AUDIO" in line
    ]
    assert ["AUTOSELECT=YES" in tag for tag in tags] == [False, True, True, True]
    assert ["DEFAULT=YES" in tag for tag in tags] == [False, True, False, False]


def test_what_a_sound_is_for_is_told() -> None:
    stream = presentation(languages=("en", "en", "en", "en"))
    purposes: tuple[Purpose, ...] = ("main", "description", "clear_speech", "commentary")
    sounds = tuple(replace(one, purpose=purpose) for one, purpose in zip(stream.audio, purposes, strict=True))
    text = multivariant_playlist(Presentation(stream.video, sounds))
    tags = [line for line in text.splitlines() if "TYPE=AUDIO" in line]
    # A player may choose the film as its owner's settings need it, but never a commentary.
    assert ["AUTOSELECT=YES" in tag for tag in tags] == [True, True, True, False]
    told = [tag.partition('CHARACTERISTICS="')[2].partition('"')[0] for tag in tags]
    assert told == [
        "",
        "public.accessibility.describes-video",
        "public.accessibility.enhances-speech-intelligibility",
        "",
    ]


def test_names_cannot_break_out_of_their_quotes() -> None:
    stream = presentation()
    sound = replace(stream.audio[0], label='The "best"\n#EXT-X-ENDLIST', folder="audio/0-e n")
    text = multivariant_playlist(Presentation(stream.video, (sound,)))
    assert "NAME=\"The 'best' #EXT-X-ENDLIST\"" in text
    assert 'URI="audio/0-e%20n/audio.m3u8"' in text
    assert "\n#EXT-X-ENDLIST" not in text


def test_sound_alone_is_a_variant_itself() -> None:
    sound = presentation(frames=400, languages=("en", "de"), resolutions=())
    assert sound.seconds == sound.audio[0].seconds
    assert multivariant_playlist(sound) == dedent("""\
        #EXTM3U
        #EXT-X-VERSION:7
        #EXT-X-INDEPENDENT-SEGMENTS

        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="en",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,CHANNELS="2",URI="audio/0-en/audio.m3u8"
        #EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio",NAME="de",LANGUAGE="de",DEFAULT=NO,AUTOSELECT=YES,CHANNELS="2",URI="audio/1-de/audio.m3u8"

        #EXT-X-STREAM-INF:BANDWIDTH=204,AVERAGE-BANDWIDTH=152,CODECS="mp4a.40.2",AUDIO="audio"
        audio/0-en/audio.m3u8
        """)


def test_sound_alone_begins_with_the_default_track_and_is_rated_by_the_one_that_needs_most() -> None:
    stream = presentation(languages=("en", "de"), resolutions=())
    loud = replace(stream.audio[0], sizes=tuple(size * 10 for size in stream.audio[0].sizes), default=False)
    lines = multivariant_playlist(replace(stream, audio=(loud, replace(stream.audio[1], default=True)))).splitlines()
    assert lines[-1] == "audio/1-de/audio.m3u8"
    assert f"BANDWIDTH={loud.peak_rate(6)},AVERAGE-BANDWIDTH={loud.average_rate}," in lines[-2]

"""The DASH manifest: the exact text for a small stream, and its rules."""

from dataclasses import replace
from fractions import Fraction
from textwrap import dedent
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from services.uploader.manifest.assembly import assemble
from services.uploader.manifest.dash import manifest, timeline
from services.uploader.manifest.presentation import Presentation
from tests.support.encoded import make_plan, make_result, make_stills

NAMES = {"mpd": "urn:mpeg:dash:schema:mpd:2011"}


def stream_of(**options: object) -> Presentation:
    plan = make_plan(**options)  # type: ignore[arg-type]
    return assemble(plan, {part: make_result(plan, part) for part in plan.release_order})


def manifest_of(**options: object) -> str:
    return manifest(stream_of(**options))


def test_manifest() -> None:
    # Valid after the schemas of the fourth and fifth edition (checked with libxml2 when this text was written).
    assert manifest_of(frames=400) == dedent("""\
        <?xml version="1.0" encoding="utf-8"?>
        <MPD xmlns="urn:mpeg:dash:schema:mpd:2011" profiles="urn:mpeg:dash:profile:isoff-live:2011,urn:mpeg:dash:profile:cmaf:2019" type="static" mediaPresentationDuration="PT16S" maxSegmentDuration="PT6.016S" minBufferTime="PT6S">
          <Period id="0" start="PT0S">
            <AdaptationSet id="0" contentType="video" mimeType="video/mp4" segmentAlignment="true" startWithSAP="1" maxWidth="854" maxHeight="480" maxFrameRate="25">
              <SegmentTemplate timescale="25000" initialization="$RepresentationID$/init.mp4" media="$RepresentationID$/video_$Number%05d$.m4s" startNumber="0">
                <SegmentTimeline>
                  <S t="0" d="150000" r="1" />
                  <S t="300000" d="100000" />
                </SegmentTimeline>
              </SegmentTemplate>
              <Representation id="240p" bandwidth="628" codecs="avc1.64000a" width="426" height="240" frameRate="25" sar="1:1" />
              <Representation id="480p" bandwidth="1228" codecs="avc1.640014" width="854" height="480" frameRate="25" sar="1:1" />
            </AdaptationSet>
            <AdaptationSet id="1" contentType="audio" mimeType="audio/mp4" segmentAlignment="true" startWithSAP="1" lang="en">
              <AudioChannelConfiguration schemeIdUri="urn:mpeg:mpegB:cicp:ChannelConfiguration" value="2" />
              <Label>en</Label>
              <Role schemeIdUri="urn:mpeg:dash:role:2011" value="main" />
              <SegmentTemplate timescale="48000" presentationTimeOffset="1024" initialization="audio/0-en/dash_init.mp4" media="audio/0-en/audio_$Number%05d$.m4s" startNumber="0">
                <SegmentTimeline>
                  <S t="0" d="288768" />
                  <S t="288768" d="287744" />
                  <S t="576512" d="192512" />
                </SegmentTimeline>
              </SegmentTemplate>
              <Representation id="audio-1" bandwidth="204" codecs="mp4a.40.2" audioSamplingRate="48000" />
            </AdaptationSet>
          </Period>
        </MPD>
        """)


def test_a_silent_source_has_one_set() -> None:
    sets = ElementTree.fromstring(manifest_of(languages=())).findall(".//mpd:AdaptationSet", NAMES)
    assert [one.get("contentType") for one in sets] == ["video"]


def test_further_sounds_are_alternates() -> None:
    root = ElementTree.fromstring(manifest_of(languages=("en", "de", None)))
    assert [role.get("value") for role in root.findall(".//mpd:Role", NAMES)] == ["main", "alternate", "alternate"]
    sounds = [one for one in root.findall(".//mpd:AdaptationSet", NAMES) if one.get("contentType") == "audio"]
    assert [one.get("lang") for one in sounds] == ["en", "de", None]
    assert len({one.get("id") for one in root.iter() if one.get("id") and one.tag.endswith("AdaptationSet")}) == 4


def test_the_sheet_of_tiles_is_a_set_of_its_own() -> None:
    plan = make_plan(frames=580, frame_rate=Fraction(30000, 1001), stills=True)
    stream = assemble(
        plan,
        {part: make_result(plan, part) for part in plan.release_order},
        [still for part in plan.release_order for still in make_stills(plan, part)],
    )
    root = ElementTree.fromstring(manifest(stream, sheet_bytes=4004))
    [image] = [one for one in root.findall(".//mpd:AdaptationSet", NAMES) if one.get("contentType") == "image"]
    assert image.attrib == {"id": "2", "contentType": "image", "mimeType": "image/jpeg"}
    [template, representation] = image
    # Ten tiles of 59 frames each in one row: 590 frames are 19.686 s, whether there are pictures for all of it or not.
    assert plan.stills
    assert (plan.stills.tile_frames, plan.stills.columns, plan.stills.rows) == (59, 10, 1)
    assert template.attrib == {
        "timescale": "3000", "duration": "59059", "media": "sprite/sprite_image.jpg", "startNumber": "1",
    }  # fmt: skip
    assert representation.attrib == {"id": "tiles", "bandwidth": "1628", "width": "320", "height": "18"}
    [tiles] = representation
    assert tiles.attrib == {"schemeIdUri": "http://dashif.org/guidelines/thumbnail_tile", "value": "10x1"}
    assert root.get("maxSegmentDuration") == "PT19.686333S"
    assert "image" not in manifest(stream)


def test_what_a_sound_is_for_is_told() -> None:
    plan = make_plan(languages=("en", "en", "en", "en"))
    purposes = ("main", "description", "clear_speech", "commentary")
    audio = [part.model_copy(update={"purpose": each}) for part, each in zip(plan.audio, purposes, strict=True)]
    plan = plan.model_copy(update={"audio": tuple(audio)})
    root = ElementTree.fromstring(
        manifest(assemble(plan, {part: make_result(plan, part) for part in plan.release_order}))
    )
    roles = [role.get("value") for role in root.findall(".//mpd:Role", NAMES)]
    assert roles == ["main", "description", "enhanced-audio-intelligibility", "commentary"]
    # After the label and before the role, as the schema wants it: 1 for those who do not see, 2 for those who hear badly.
    described = root.findall(".//mpd:AdaptationSet", NAMES)[2]
    assert [one.tag.rpartition("}")[2] for one in described][1:4] == ["Label", "Accessibility", "Role"]
    assert [one.get("value") for one in root.findall(".//mpd:Accessibility", NAMES)] == ["1", "2"]


def test_texts_are_whole_files() -> None:
    stream = stream_of(frames=400, languages=("en",), texts=("de", None))
    texts = (stream.text[0], replace(stream.text[1], forced=True))
    root = ElementTree.fromstring(manifest(replace(stream, text=texts)))
    sets = [one for one in root.findall(".//mpd:AdaptationSet", NAMES) if one.get("contentType") == "text"]
    assert [dict(one.attrib) for one in sets] == [
        {"id": "2", "contentType": "text", "mimeType": "text/vtt", "lang": "de"},
        {"id": "3", "contentType": "text", "mimeType": "text/vtt"},
    ]
    roles = [[role.get("value") for role in one.findall("mpd:Role", NAMES)] for one in sets]
    assert roles == [["subtitle", "main"], ["forced-subtitle"]]
    assert [one.findtext("mpd:Label", namespaces=NAMES) for one in sets] == ["de", "Subtitles"]
    addresses = [one.findtext("mpd:Representation/mpd:BaseURL", namespaces=NAMES) for one in sets]
    assert addresses == ["text/0-de/text.vtt", "text/1-und/text.vtt"]
    assert not [one for text in sets for one in text.iter() if "Template" in one.tag]


def test_closed_captions_are_described() -> None:
    stream = stream_of()
    told = replace(stream, video=tuple(replace(one, captions=("CC1", "CC3", "SERVICE2")) for one in stream.video))
    found = ElementTree.fromstring(manifest(told)).findall(".//mpd:AdaptationSet/mpd:Accessibility", NAMES)
    assert [(one.get("schemeIdUri"), one.get("value")) for one in found] == [
        ("urn:scte:dash:cc:cea-608:2015", "CC1=und;CC3=und"),
        ("urn:scte:dash:cc:cea-708:2015", "2=lang:und"),
    ]
    assert "Accessibility" not in manifest(stream)


def test_fractional_rates_and_lengths() -> None:
    root = ElementTree.fromstring(manifest_of(frames=7, frame_rate=Fraction(30000, 1001)))
    assert root.get("mediaPresentationDuration") == "PT0.233567S"
    assert {one.get("frameRate") for one in root.findall(".//mpd:Representation", NAMES)} == {"30000/1001", None}


@given(st.lists(st.integers(1, 5), min_size=1, max_size=40))
def test_a_timeline_says_each_segment_once(durations: list[int]) -> None:
    told: list[int] = []
    for start, duration, repeats in timeline(durations):
        assert start == sum(told)
        told += [duration] * (1 + repeats)
    assert told == durations


def test_sound_alone_has_no_set_of_pictures() -> None:
    root = ElementTree.fromstring(manifest_of(frames=400, languages=("en", "de"), resolutions=()))
    sets = root.findall(".//mpd:AdaptationSet", NAMES)
    assert [one.get("contentType") for one in sets] == ["audio", "audio"]
    assert [role.get("value") for role in root.findall(".//mpd:Role", NAMES)] == ["main", "alternate"]

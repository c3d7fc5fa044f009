"""Playlists and manifest of encrypted presentations: what is told of keys, and where."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from services.uploader.encryption import encryption_of
from services.uploader.finish import playlists
from services.uploader.manifest.assembly import Mismatch, assemble
from services.uploader.manifest.content_protection import verbatim
from services.uploader.manifest.playlists import multivariant_playlist
from services.uploader.manifest.presentation import Presentation
from services.uploader.manifest.protection import protected
from shared.encryption.objects import size_in_bucket
from shared.encryption.protection import Protection
from shared.errors import PermanentError
from tests.support.encoded import make_plan, make_record
from tests.support.encrypted import content_key, protection
from tests.support.mapped import mapped_record

NAMES = {"mpd": "urn:mpeg:dash:schema:mpd:2011", "cenc": "urn:mpeg:cenc:2013"}
SCHEME, KID = "urn:mpeg:dash:mp4protection:2011", "{urn:mpeg:cenc:2013}default_KID"
SEPARATE = content_key("audio"), content_key("sd", 1), content_key("hd", 2)
PLAN = make_plan(frames=400, resolutions=("240p", "480p", "720p"), languages=("en", "de"), texts=("en",))


def presented(told: Protection) -> Presentation:
    records = {part: mapped_record(PLAN, make_record(PLAN, part)) for part in PLAN.release_order}
    return protected(assemble(PLAN, {part: record.tables for part, record in records.items()}), told)


def keys_of(text: bytes) -> list[str]:
    return [line for line in text.decode().splitlines() if line.startswith("#EXT-X-KEY")]


def test_the_lines_of_a_key_stand_in_every_playlist_of_its_tracks_behind_the_initialization_segment() -> None:
    told = protection()
    texts = playlists(presented(told))
    expected = list(told.keys[0].media_lines)
    for path, text in texts.items():
        if path.endswith(".m3u8"):
            assert keys_of(text) == ([] if path.startswith("text/") else expected), path
            if keys_of(text):
                assert f'#EXT-X-MAP:URI="init.mp4"\n{expected[0]}\n'.encode() in text
    assert {"240p/iframes.m3u8", "720p/video.m3u8", "audio/1-de/audio.m3u8"} <= texts.keys()


def test_the_multivariant_playlist_has_all_keys_once() -> None:
    told = protection("cbcs", *SEPARATE)
    lines = multivariant_playlist(presented(told)).splitlines()
    assert [line for line in lines if "KEY" in line] == [
        line for key in (told.keys[1], told.keys[2], told.keys[0]) for line in key.session_lines
    ]


def test_the_manifest_has_a_set_for_each_key_between_which_players_switch() -> None:
    told = protection("cbcs", *SEPARATE)
    text = playlists(presented(told))["video.mpd"].decode()
    sets = ElementTree.fromstring(text).findall(".//mpd:AdaptationSet", NAMES)
    found = [
        (
            one.get("contentType"),
            [each.get("id") for each in one.findall("mpd:Representation", NAMES)],
            [
                each.get(KID)
                for each in one.findall("mpd:ContentProtection", NAMES)
                if each.get("schemeIdUri") == SCHEME
            ],
        )
        for one in sets
    ]
    kid = "cf6c30dd-50c1-492e-8234-4ea3e139da1"
    assert found == [
        ("video", ["240p", "480p"], [f"{kid}e"]),
        ("video", ["720p"], [f"{kid}f"]),
        ("audio", ["audio-2"], [f"{kid}d"]),
        ("audio", ["audio-3"], [f"{kid}d"]),
        ("text", ["text-4"], []),
    ]
    switching = [one.find("mpd:SupplementalProperty", NAMES) for one in sets]
    assert [one.get("value") for one in switching if one is not None] == ["1", "0"]
    # As it came, with the prefixes that players look for by name.
    assert "<cenc:pssh>" in text and told.keys[0].mpd[0].partition("<cenc")[2].partition("</Content")[0] in text
    assert [len(one.findall("mpd:ContentProtection", NAMES)) for one in sets] == [2, 2, 2, 2, 0]


def test_whole_segments_have_no_manifest_and_no_iframe_playlists() -> None:
    told = protection("aes-128")
    presentation = presented(told)
    texts = playlists(presentation)
    assert {path for path in texts if not path.endswith((".vtt", "/video.m3u8", "audio.m3u8", "text.m3u8"))} == set()
    assert keys_of(texts["240p/video.m3u8"]) == list(told.keys[0].media_lines)
    assert "I-FRAME" not in multivariant_playlist(presentation)
    assert all(size % 16 == 0 for track in (*presentation.video, *presentation.audio) for size in track.sizes)
    assert all(b"sinf" not in track.init_segment for track in presentation.video)


def test_a_presentation_in_the_clear_stays_as_it_is() -> None:
    clear = replace(presented(protection()), video=())
    assert protected(clear, None) is clear


def test_a_track_without_a_key_is_an_error() -> None:
    with pytest.raises(Mismatch, match="no key for 720p"):
        presented(protection("cbcs", content_key("audio"), content_key("sd", 1)))
    told = protection("cbcs", *SEPARATE)
    with pytest.raises(PermanentError, match="no key"):
        encryption_of(PLAN, told, SEPARATE[:2])
    folders = encryption_of(PLAN, told, SEPARATE).keys
    assert {folder: key.tracks for folder, key in folders.items()} == {
        "240p": "sd", "480p": "sd", "720p": "hd", "audio/0-en": "audio", "audio/1-de": "audio",
    }  # fmt: skip


@pytest.mark.parametrize("text", ["<a>", "", "no XML", '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>'])
def test_what_is_no_element_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="what is told of a key"):
        verbatim(text)


def test_only_segments_change_their_size() -> None:
    whole, samples = protection("aes-128"), protection()
    assert size_in_bucket("240p/video_00000.m4s", 32, whole) == 48
    assert size_in_bucket("240p/video_00000.m4s", 32, samples) == size_in_bucket("240p/video_00000.m4s", 32, None) == 32
    assert size_in_bucket("text/0-en/text_00000.vtt", 32, whole) == 32
    assert size_in_bucket("thumbnails/thumbnail_1.jpg", 32, whole) == 32

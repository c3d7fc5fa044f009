"""What of a track is presented: edit lists and sample groups, read back box by box."""

import struct

from shared.mp4.bmff import boxes, find, read_movie, timescale_of, write_fragment
from shared.mp4.edits import preroll_group, with_edit, with_preroll, without_edit
from tests.support.boxes import init_segment


def test_an_edit_list_makes_the_presentation_start_later() -> None:
    edited = with_edit(init_segment(), 2000)
    assert find(edited, b"moov").end == len(edited)
    kinds = [
        item.kind for item in boxes(edited, find(edited, b"moov", b"trak").body, find(edited, b"moov", b"trak").end)
    ]
    assert kinds == [b"tkhd", b"edts", b"mdia"]
    edit = find(edited, b"moov", b"trak", b"edts", b"elst")
    assert struct.unpack_from(">IIIiI", edited, edit.body) == (0, 1, 0, 2000, 1 << 16)
    assert timescale_of(edited) == 25_000
    assert without_edit(edited) == without_edit(init_segment()) == init_segment()


def test_every_sample_of_a_fragment_needs_the_one_before() -> None:
    marked = with_preroll(init_segment(), 1)
    group = find(marked, b"moov", b"trak", b"mdia", b"minf", b"stbl", b"sgpd")
    # Version 1, two bytes for each of one description: one sample back.
    assert marked[group.body : group.end] == bytes.fromhex("01000000") + b"roll" + struct.pack(">IIh", 2, 1, -1)
    assert group.end == find(marked, b"moov", b"trak").end
    written = write_fragment([b"ab", b"c"], duration=1024, decode_time=0, sequence=1, groups=preroll_group(2))
    [fragment] = read_movie(marked + written).fragments
    assert fragment.sizes == (2, 1) and fragment.data == len(marked + written) - 3
    assigned = find(written, b"moof", b"traf", b"sbgp")
    # Version 0: two samples, both in the first group that the header describes.
    assert written[assigned.body : assigned.end] == bytes(4) + b"roll" + struct.pack(">III", 1, 2, 1)

"""From packets to what is shown when."""

from dataclasses import replace
from fractions import Fraction

import pytest

from services.fetcher.probe.packets import NO_TIME, VideoPackets, read_packets
from services.fetcher.probe.timeline import Claims, make_timeline

TICK = Fraction(1, 1000)
CLAIMS = Claims(time_base=TICK, demuxer="mov")


def packets(*lines: str) -> VideoPackets:
    """Packets of stream 0, each written ``pts dts duration flags``; N is N/A."""
    cells = (line.split() for line in lines)
    expanded = (["N/A" if cell == "N" else cell for cell in one] for one in cells)
    return read_packets((f"0,{p},{d},{n},{0 if 'E' in f else 9},0,{f}" for p, d, n, f in expanded), 0).video


def steady(count: int, step: int, key_every: int = 5, start: int = 0) -> list[str]:
    return [
        f"{start + n * step} {start + n * step} {step} {'K__' if n % key_every == 0 else '___'}" for n in range(count)
    ]


def test_frames_are_sorted_and_the_last_one_has_its_length() -> None:
    found = make_timeline(packets("0 -80 40 K__", "120 -40 40 ___", "40 0 40 ___", "80 40 40 ___"), CLAIMS)
    assert list(found.index.pts) == [0, 40, 80, 120]
    assert (found.end_pts, found.rate, found.variable, found.exact, found.jumps) == (160, Fraction(25), False, True, 0)


def test_discarded_packets_are_no_frames_but_still_places_to_begin_decoding() -> None:
    lines = ["-80 -80 40 KD_", "-40 -40 40 _D_", "0 0 40 ___", "40 40 40 K__", "80 80 40 ___"]
    found = make_timeline(packets(*lines), CLAIMS)
    assert list(found.index.pts) == [0, 40, 80]
    assert list(found.index.keyframes) == [-80, 40]
    assert found.index.keyframe_at_or_before(0) == -80
    assert found.index.keyframe_at_or_before(-81) is None


def test_an_open_gop_is_marked() -> None:
    lines = ["0 0 40 K__", "40 40 40 ___", "160 80 40 K__", "80 120 40 ___", "120 160 40 ___", "200 200 40 K__"]
    found = make_timeline(packets(*lines), CLAIMS)
    assert list(found.index.keyframes) == [0, 160, 200]
    assert found.index.leading == (False, True, False)


def test_which_frame_is_on_screen() -> None:
    index = make_timeline(packets(*steady(4, 40, start=100)), CLAIMS).index
    assert [index.shown_at(tick) for tick in (0, 100, 139, 140, 999)] == [0, 0, 0, 1, 3]


def test_a_long_last_frame_is_believed_only_among_long_ones() -> None:
    short = make_timeline(packets("0 0 40 K__", "40 40 40 ___", "80 80 99999 ___"), CLAIMS)
    assert short.end_pts == 120
    slides = make_timeline(packets("0 0 5000 K__", "5000 5000 9000 ___", "14000 14000 9000 ___"), CLAIMS)
    assert slides.end_pts == 23000


def test_a_long_last_frame_is_believed_where_the_header_is_as_long() -> None:
    found = packets("0 0 40 K__", "40 40 40 ___", "80 80 5000 ___")
    ends = [make_timeline(found, replace(CLAIMS, declared_end=end)).end_pts for end in (5080, 5100, 4000, 120, None)]
    assert ends == [5080, 5080, 120, 120, 120]


def test_a_last_frame_of_no_length_gets_that_of_the_others() -> None:
    assert make_timeline(packets("0 0 1 K__", "40 40 1 ___", "80 80 1 ___"), CLAIMS).end_pts == 120


def test_without_presentation_times_the_decoding_times_serve_moved_to_the_first_decoded_frame() -> None:
    lines = ["N 0 40 K__", "N 40 40 ___", "N 80 40 ___", "N 120 40 ___"]
    found = make_timeline(packets(*lines), replace(CLAIMS, demuxer="avi", decoded=(80, 120)))
    assert list(found.index.pts) == [80, 120, 160, 200]
    assert not found.exact


def test_a_few_missing_times_are_filled_in() -> None:
    lines = steady(40, 40)
    lines[7] = "N 280 40 ___"
    found = make_timeline(packets(*lines), CLAIMS)
    assert list(found.index.pts) == [n * 40 for n in range(40)]
    assert not found.exact


def test_without_any_times_frames_follow_the_claimed_rate() -> None:
    found = make_timeline(packets(*["N N 0 K__"] * 5), replace(CLAIMS, demuxer="h264", average=Fraction(50)))
    assert list(found.index.pts) == [0, 20, 40, 60, 80]
    assert (found.rate, found.exact) == (Fraction(50), False)


def test_the_lengths_of_a_bare_streams_frames_are_its_own_and_beat_the_claimed_rate() -> None:
    lines = ["N N 80 K__", *["N N 80 ___"] * 4]
    found = make_timeline(packets(*lines), replace(CLAIMS, demuxer="h264", average=Fraction(25), nominal=Fraction(25)))
    assert list(found.index.pts) == [0, 80, 160, 240, 320]
    assert (found.rate, found.end_pts) == (Fraction(25, 2), 400)


def test_what_no_frame_comes_out_of_is_not_counted() -> None:
    lines = [*["N N 40 ___"] * 3, "N N 40 K__", *["N N 40 ___"] * 4]
    found = make_timeline(packets(*lines), replace(CLAIMS, demuxer="h264", decoded=(None,) * 5, undecoded=3))
    assert list(found.index.pts) == [0, 40, 80, 120, 160]
    dated = [f"{'N' if n % 3 else 1000 + 40 * n} {960 + 40 * n} 40 {'K__' if n == 3 else '___'}" for n in range(9)]
    cut = make_timeline(packets(*dated), replace(CLAIMS, demuxer="mpeg", decoded=(1200,), undecoded=5))
    assert list(cut.index.pts) == [1200, 1240, 1280, 1320]


def test_a_missing_time_is_the_one_that_is_left() -> None:
    lines = [f"{n * 40} {n * 40 - 80} 40 {'___' if n else 'K__'}" for n in range(40)]
    lines[7], lines[8], lines[9] = "N 200 40 ___", "280 240 40 ___", "320 280 40 ___"
    found = make_timeline(packets(*lines), CLAIMS)
    assert list(found.index.pts) == [n * 40 for n in range(40)]


def test_a_few_packets_without_any_time_do_not_take_the_others_times_away() -> None:
    lines = [f"{n * 40} {n * 40 - 80} 40 {'___' if n else 'K__'}" for n in range(40)]
    lines[3], lines[20] = "N N 40 ___", "N N 40 ___"
    assert list(make_timeline(packets(*lines), CLAIMS).index.pts) == [n * 40 for n in range(40)]


def test_two_frames_at_one_time_cannot_be_cut_between() -> None:
    assert not make_timeline(packets("0 0 40 K__", "40 40 40 ___", "40 41 40 ___"), CLAIMS).exact


def test_empty_packets_only_prolong_the_picture() -> None:
    found = make_timeline(packets("0 0 40 K__", "40 40 40 E__", "80 80 40 ___"), CLAIMS)
    assert list(found.index.pts) == [0, 80]


def test_nothing_to_show() -> None:
    with pytest.raises(ValueError, match="no packet holds anything"):
        make_timeline(packets("0 0 40 KD_"), CLAIMS)


@pytest.mark.parametrize("jump", [-(10**6), 10**6])
def test_jumps_of_a_broadcast_clock_are_taken_out(jump: int) -> None:
    lines = steady(10, 40) + steady(10, 40, start=10**7 + jump)
    found = make_timeline(packets(*lines), replace(CLAIMS, demuxer="mpegts"))
    assert list(found.index.pts) == [n * 40 for n in range(20)]
    assert (found.jumps, found.exact, found.rate, found.variable) == (1, False, Fraction(25), False)


def test_a_gap_in_a_file_with_one_clock_is_a_gap() -> None:
    found = make_timeline(packets(*steady(10, 40), *steady(10, 40, start=60_000)), CLAIMS)
    assert found.jumps == 0 and found.index.pts[10] == 60_000 and found.variable


def test_fields_with_packets_of_their_own_are_joined_to_frames() -> None:
    """As AVCHD cameras write them: each field a packet, the two of a frame side by side, B-frames between."""
    lines = []
    for frame in (0, 3, 1, 2, 6, 4, 5):
        lines += [f"{frame * 40} 0 20 {'K__' if not frame else '___'}", f"{frame * 40 + 20} 0 20 ___"]
    claims = replace(CLAIMS, demuxer="mpegts", interlaced=True, decoded=(0, 40, 80, 120))
    found = make_timeline(packets(*lines), claims)
    assert list(found.index.pts) == [n * 40 for n in range(7)]
    assert (found.rate, found.end_pts) == (Fraction(25), 280)


def test_frames_of_an_interlaced_stream_stay_single_where_both_fields_are_in_one_packet() -> None:
    claims = replace(CLAIMS, interlaced=True, decoded=(0, 40, 80, 120))
    assert len(make_timeline(packets(*steady(10, 40)), claims).index.pts) == 10


@pytest.mark.parametrize(("decoded", "first"), [((120, 160), 120), ((), 200)])
def test_what_comes_before_the_first_frame_that_can_be_decoded_is_not_shown(
    decoded: tuple[int, ...], first: int
) -> None:
    lines = [f"{n * 40} {n * 40} 40 {'K__' if n == 5 else '___'}" for n in range(10)]
    found = make_timeline(packets(*lines), replace(CLAIMS, decoded=decoded))
    assert found.index.pts[0] == first


def test_the_list_of_packets() -> None:
    table = read_packets(
        ["0,0,0,40,100,0,K__,\n", "1,5,5,20,9,0,K__\n", "1,N/A,N/A,20,9,0,K__\n", "1,25,25,20,9,0,_D_\n", "0,N/A,40"], 0
    )
    assert list(table.video.pts) == [0] and len(table.video) == 1, "a line that was cut off is left out"
    sound = table.extent(1)
    assert (sound.count, sound.start, sound.end, sound.sum) == (2, 5, 25, 40)
    assert table.extent(7).start == NO_TIME

"""The baseline that the benchmark compares with."""

from pathlib import Path

from stack.bench import baseline
from stack.clips import Facts

CLIP = Facts(60, 1920, 1080, frame_rate=30, has_audio=True)
FOLDER, SOURCE = Path("out"), Path("in.mp4")


def test_the_baseline_is_this_command_and_no_setting_of_ours_moves_it() -> None:
    rungs = baseline.ladder(("240p", "480p", "720p", "1080p"), CLIP)
    graph = (
        "[0:v:0]format=yuv420p,split=4[copy0][copy1][copy2][copy3];"
        "[copy0]scale=w='if(gte(iw,ih),-2,240)':h='if(gte(iw,ih),240,-2)':flags=bicubic[240p];"
        "[copy1]scale=w='if(gte(iw,ih),-2,480)':h='if(gte(iw,ih),480,-2)':flags=bicubic[480p];"
        "[copy2]scale=w='if(gte(iw,ih),-2,720)':h='if(gte(iw,ih),720,-2)':flags=bicubic[720p];"
        "[copy3]scale=w='if(gte(iw,ih),-2,1080)':h='if(gte(iw,ih),1080,-2)':flags=bicubic[1080p]"
    )
    encode = (
        "-map [240p] -crf:v:0 24 -maxrate:v:0 500000 -bufsize:v:0 500000 "
        "-map [480p] -crf:v:1 23 -maxrate:v:1 1400000 -bufsize:v:1 1400000 "
        "-map [720p] -crf:v:2 23 -maxrate:v:2 3000000 -bufsize:v:2 3000000 "
        "-map [1080p] -crf:v:3 24 -maxrate:v:3 5500000 -bufsize:v:3 5500000 "
        "-c:v libx264 -preset faster -profile:v high -x264-params keyint=60:min-keyint=60:scenecut=0:open-gop=0 "
        "-map 0:a:0 -c:a aac -b:a 128000 -ac 2"
    )
    streams = (
        "v:0,name:240p,agroup:sound v:1,name:480p,agroup:sound v:2,name:720p,agroup:sound v:3,name:1080p,agroup:sound"
    )
    assert baseline.command(SOURCE, FOLDER, CLIP, rungs) == [
        *("-y", "-i", "in.mp4", "-filter_complex", graph, *encode.split()),
        *("-f", "hls", "-hls_time", "6", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"),
        *("-master_pl_name", "video.m3u8", "-var_stream_map", f"{streams} a:0,agroup:sound,name:audio"),
        *("-hls_segment_filename", "out/%v/video_%05d.m4s", "out/%v/video.m3u8"),
    ]


def test_nothing_is_scaled_up() -> None:
    clip = Facts(60, 720, 1280, frame_rate=30, has_audio=True)
    rungs = baseline.ladder(("240p", "720p", "1080p"), clip)
    assert [rung.name for rung in rungs] == ["240p", "720p"]
    assert "split=2" in baseline.command(SOURCE, FOLDER, clip, rungs)[4]


def test_caps_follow_the_frame_rate() -> None:
    caps = {rate: baseline.ladder(("240p",), Facts(9, 426, 240, rate, True))[0].max_rate for rate in (5.0, 24.0, 60.0)}
    assert caps == {5.0: 300_000, 24.0: 438_811, 60.0: 750_019}


def test_a_silent_clip_maps_no_sound() -> None:
    clip = Facts(60, 426, 240, frame_rate=25, has_audio=False)
    argv = baseline.command(SOURCE, FOLDER, clip, baseline.ladder(("240p",), clip))
    assert "aac" not in argv
    assert argv[argv.index("-var_stream_map") + 1] == "v:0,name:240p"

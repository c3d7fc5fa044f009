"""What is tried: small files that ffmpeg makes, each with one thing about it, and files that have to be refused. Data."""

from dataclasses import dataclass, field
from pathlib import Path

from stack.clips import run_ffmpeg

_SECONDS = 2
_CHART = f"testsrc2=size=320x180:rate=25:duration={_SECONDS}"
_AUDIO = f"aevalsrc=0.2*sin(880*PI*t)|0.2*sin(1320*PI*t):c=stereo:s=48000:d={_SECONDS}"
_H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
_AAC = ("-c:a", "aac")


@dataclass(frozen=True)
class Sample:
    """A file to send.

    Attributes:
        group: heading of the table that it stands in. what: its row's first cell.
        output: ffmpeg's options of the output. picture: the lavfi source. sound: the lavfi source, empty for none.
        filters: on the picture. subtitles: a text comes along.
        shown: ffmpeg's input options that say how the picture is to be turned for display.
        content: of a file that is no video. cut: how much of the file is kept.
    """

    group: str
    what: str
    suffix: str
    output: tuple[str, ...] = ()
    picture: str = _CHART
    sound: str = _AUDIO
    filters: str = "null"
    subtitles: bool = False
    shown: tuple[str, ...] = ()
    content: bytes | None = field(default=None, repr=False)
    cut: float = 1.0

    def make(self, folder: Path, number: int) -> Path:
        """The file.

        Raises:
            StackError: this build of ffmpeg cannot make it.
        """
        path = folder / f"{number:03d}.{self.suffix}"
        if self.content is not None:
            path.write_bytes(self.content)
            return path
        run_ffmpeg(self._arguments(folder, path))
        if self.shown:
            whole = path.rename(path.with_stem(f"{path.stem}-upright"))
            run_ffmpeg(["-y", *self.shown, "-i", str(whole), "-c", "copy", str(path)])
        if self.cut < 1:
            data = path.read_bytes()
            path.write_bytes(data[: int(len(data) * self.cut)])
        return path

    def _arguments(self, folder: Path, path: Path) -> list[str]:
        inputs: list[str] = []
        maps: list[str] = []
        for source, kind in ((self.picture, "v"), (self.sound, "a")):
            if source:
                maps += ["-map", f"{len(inputs) // 4}:{kind}"]
                inputs += ["-f", "lavfi", "-i", source]
        if self.subtitles:
            srt = folder / "text.srt"
            srt.write_text("1\n00:00:00,500 --> 00:00:01,500\nGood morning\n")
            maps += ["-map", f"{len(inputs) // 4}:s", "-metadata:s:s:0", "language=eng"]
            inputs += ["-f", "srt", "-i", str(srt)]
        filters = ["-filter:v", self.filters] if self.picture and self.filters != "null" else []
        return ["-y", *inputs, *maps, *filters, *self.output, str(path)]


def _coded(what: str, suffix: str, *output: str, filters: str = "null") -> Sample:
    return Sample("Containers and codecs", what, suffix, output, filters=filters)


def _shown(what: str, filters: str = "null", *output: str, picture: str = _CHART) -> Sample:
    return Sample("Pictures", what, "mp4", output or (*_H264, *_AAC), picture, filters=filters)


def _heard(what: str, sound: str, *output: str, suffix: str = "mp4") -> Sample:
    return Sample("Sound", what, suffix, output or (*_H264, *_AAC), sound=sound)


def _written(what: str, suffix: str, *output: str) -> Sample:
    return Sample("Subtitles", what, suffix, (*_H264, *_AAC, *output), subtitles=True)


def _refused(what: str, suffix: str, content: bytes) -> Sample:
    return Sample("Refused", what, suffix, content=content)


_HDR = "format=yuv420p10le,setparams=color_primaries=bt2020:colorspace=bt2020nc:range=tv:color_trc="
_X265 = ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error", "-tag:v", "hvc1", *_AAC)
_TONES = "|".join(f"0.1*sin({200 * (number + 1)}*PI*t)" for number in range(6))

SAMPLES: tuple[Sample, ...] = (
    _coded("MP4, H.264 and AAC", "mp4", *_H264, *_AAC),
    _coded("MP4, fragmented", "mp4", *_H264, *_AAC, "-movflags", "+frag_keyframe+empty_moov"),
    _coded("MP4, HEVC and AC-3", "mp4", "-c:v", "libx265", "-x265-params", "log-level=error", "-c:a", "ac3"),
    _coded("MP4, AV1 and E-AC-3", "mp4", "-c:v", "libsvtav1", "-preset", "12", "-c:a", "eac3"),
    _coded("MP4, VVC", "mp4", "-c:v", "libvvenc", "-preset", "faster", *_AAC),
    _coded("MOV, ProRes 422 and PCM of 24 bits", "mov", "-c:v", "prores_ks", "-profile:v", "3", "-c:a", "pcm_s24le"),
    _coded("MOV, ProRes 4444 with alpha", "mov", "-c:v", "prores_ks", "-pix_fmt", "yuva444p10le", "-c:a", "pcm_s16le"),
    _coded("MOV, DNxHR and ALAC", "mov", "-c:v", "dnxhd", "-profile:v", "dnxhr_sq", "-c:a", "alac"),
    _coded("MOV, CineForm", "mov", "-c:v", "cfhd", *_AAC),
    _coded("MOV, Animation with alpha", "mov", "-c:v", "qtrle", "-pix_fmt", "argb", "-c:a", "pcm_s16be"),
    _coded("MOV, PNG pictures", "mov", "-c:v", "png", *_AAC),
    _coded("MOV, Motion JPEG", "mov", "-c:v", "mjpeg", *_AAC),
    _coded("MKV, H.264 and Opus", "mkv", *_H264, "-c:a", "libopus"),
    _coded("MKV, H.264 4:4:4 and FLAC", "mkv", "-c:v", "libx264", "-pix_fmt", "yuv444p", "-c:a", "flac"),
    _coded("MKV, FFV1 and PCM", "mkv", "-c:v", "ffv1", "-c:a", "pcm_s16le"),
    _coded(
        "MKV, HEVC of 10 bits and DTS", "mkv", *_X265[:-4], "-pix_fmt", "yuv420p10le", "-c:a", "dca", "-strict", "-2"
    ),
    _coded("WebM, VP9 and Opus", "webm", "-c:v", "libvpx-vp9", "-cpu-used", "8", "-deadline", "realtime"),
    _coded("WebM, VP8 and Vorbis", "webm", "-c:v", "libvpx", "-deadline", "realtime", "-c:a", "libvorbis"),
    _coded("WebM, VP9 with alpha", "webm", "-c:v", "libvpx-vp9", "-pix_fmt", "yuva420p", "-deadline", "realtime"),
    _coded("AVI, MPEG-4 and MP3", "avi", "-c:v", "mpeg4", "-c:a", "libmp3lame"),
    _coded("AVI, Motion JPEG and PCM", "avi", "-c:v", "mjpeg", "-c:a", "pcm_s16le"),
    _coded("AVI, HuffYUV", "avi", "-c:v", "huffyuv", "-c:a", "pcm_u8"),
    _coded("AVI, uncompressed", "avi", "-c:v", "rawvideo", "-pix_fmt", "yuv420p", "-c:a", "pcm_s16le"),
    _coded("AVI, DV", "avi", "-c:v", "dvvideo", "-c:a", "pcm_s16le", filters="scale=720:576,format=yuv420p"),
    _coded("MPEG-TS, H.264 and AC-3", "ts", *_H264, "-c:a", "ac3"),
    _coded("MPEG-TS, HEVC and AAC", "ts", *_X265[:-4], *_AAC),
    _coded("MPEG-TS, MPEG-2 and MP2", "ts", "-c:v", "mpeg2video", "-c:a", "mp2"),
    _coded("MPEG-PS, MPEG-2 and MP2", "mpg", "-c:v", "mpeg2video", "-c:a", "mp2", "-f", "vob"),
    _coded("MPEG-PS, MPEG-1", "mpg", "-c:v", "mpeg1video", "-c:a", "mp2"),
    _coded("M2TS, H.264", "m2ts", *_H264, "-c:a", "ac3", "-f", "mpegts", "-mpegts_m2ts_mode", "1"),
    _coded("FLV, H.264 and AAC", "flv", *_H264, *_AAC),
    _coded("FLV, Sorenson and MP3", "flv", "-c:v", "flv1", "-c:a", "libmp3lame", "-ar", "44100"),
    _coded("WMV, WMV 8 and WMA 2", "wmv", "-c:v", "wmv2", "-c:a", "wmav2"),
    _coded("MXF, MPEG-2 and PCM", "mxf", "-c:v", "mpeg2video", "-c:a", "pcm_s16le"),
    _coded("Ogg, Theora and Vorbis", "ogv", "-c:v", "libtheora", "-c:a", "libvorbis"),
    _coded("3GP, H.263 and AAC", "3gp", "-c:v", "h263", "-s", "352x288", *_AAC),
    _coded("RealMedia, RV10", "rm", "-c:v", "rv10", "-s", "176x144", "-c:a", "ac3"),
    Sample("Containers and codecs", "GIF", "gif", sound="", filters="fps=10"),
    Sample(
        "Pictures", "portrait by a rotation of 90 degrees", "mp4", (*_H264, *_AAC), shown=("-display_rotation", "90")
    ),
    Sample(
        "Pictures",
        "mirrored and turned by 180 degrees",
        "mp4",
        (*_H264, *_AAC),
        shown=("-display_rotation", "180", "-display_hflip"),
    ),
    _shown("anamorphic, 16:9 in 4:3 (samples of 64:45)", "scale=720:576,setsar=64/45"),
    _shown("an odd size, 853×481", "scale=853:481", "-c:v", "libx264", "-pix_fmt", "yuv444p", *_AAC),
    _shown(
        "interlaced, 25 frames, top field first",
        "tinterlace=interleave_top,fieldorder=tff",
        *_H264,
        *_AAC,
        "-flags",
        "+ildct+ilme",
        "-x264-params",
        "tff=1",
        picture=f"testsrc2=size=320x180:rate=50:duration={_SECONDS}",
    ),
    _shown(
        "interlaced, 29.97 frames, bottom field first",
        "tinterlace=interleave_bottom,fieldorder=bff",
        *_H264,
        *_AAC,
        "-flags",
        "+ildct+ilme",
        "-x264-params",
        "bff=1",
        picture=f"testsrc2=size=320x180:rate=60000/1001:duration={_SECONDS}",
    ),
    _shown(
        "a variable rate, 10 to 60 frames per second",
        "select='lt(t,1)+not(mod(n,6))'",
        *_H264,
        *_AAC,
        "-fps_mode",
        "passthrough",
        picture=f"testsrc2=size=320x180:rate=60:duration={_SECONDS}",
    ),
    _shown("120 frames per second", picture=f"testsrc2=size=320x180:rate=120:duration={_SECONDS}"),
    _shown("1 frame per second", picture="testsrc2=size=320x180:rate=1:duration=4"),
    _shown("a single frame", "trim=end_frame=1"),
    _shown("HDR10", _HDR + "smpte2084", *_X265),
    _shown("HLG", _HDR + "arib-std-b67", *_X265),
    _shown("BT.601", "scale=out_color_matrix=bt601,setparams=colorspace=smpte170m:color_primaries=smpte170m"),
    _shown("full range", "scale=out_range=full,format=yuvj420p", "-c:v", "libx264", *_AAC),
    _shown("10 bits 4:2:2", "format=yuv422p10le", "-c:v", "libx264", *_AAC),
    _heard("none", "", *_H264),
    _heard("mono", f"sine=frequency=440:sample_rate=44100:duration={_SECONDS}"),
    _heard("5.1", f"aevalsrc={_TONES}:c=5.1:s=48000:d={_SECONDS}"),
    _heard("begins 1.5 s late", "sine=frequency=440:duration=1,asetpts=PTS+1.5/TB", suffix="mkv"),
    _heard("ends early", "sine=frequency=440:duration=1"),
    _heard("goes on after the picture", "sine=frequency=440:duration=4"),
    _written("SubRip in MKV", "mkv", "-c:s", "srt"),
    _written("mov_text in MP4", "mp4", "-c:s", "mov_text"),
    _written("ASS in MKV", "mkv", "-c:s", "ass"),
    _written("WebVTT in MKV", "mkv", "-c:s", "webvtt"),
    Sample("Refused", "sound alone, M4A", "m4a", _AAC, picture=""),
    Sample("Refused", "an MP4 that was cut off", "mp4", (*_H264, *_AAC, "-movflags", "+faststart"), cut=0.6),
    Sample("Refused", "an MP4 that was cut off before its header", "mp4", (*_H264, *_AAC), cut=0.6),
    Sample("Refused", "a picture, PNG", "png", ("-frames:v", "1"), sound=""),
    _refused("a PDF", "mp4", b"%PDF-1.7\n" + b"0" * 5000),
    _refused("a web page", "mp4", b"<!DOCTYPE html><html><body>Not found</body></html>"),
    _refused("plain text", "txt", b"This is no video.\n" * 20),
    _refused("an HLS playlist", "m3u8", b"#EXTM3U\n#EXTINF:6,\nsegment.ts\n"),
    _refused("a list of files for ffmpeg", "mp4", b"ffconcat version 1.0\nfile /etc/hostname\n"),
    _refused("a session description", "sdp", b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nm=video 5004 RTP/AVP 96\n"),
    _refused("a ZIP archive, such as DOCX", "docx", b"PK\x03\x04" + b"\0" * 4000),
    _refused("an empty file", "mp4", b""),
)

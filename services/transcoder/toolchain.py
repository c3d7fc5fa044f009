"""Which programs and which code this transcoder makes parts with, in one digest: where it is the same, so are the parts."""

import asyncio
from hashlib import sha256
from pathlib import Path

from shared.cage.cage import Touches
from shared.media.codecs.h264 import H264
from shared.process import ProcessLimits, ProcessTimeout, run_process

_SECONDS = 20.0
_ROOT = Path(__file__).parents[2]
# Everything that has a say in the bytes of a part.
_CODE = ("services/transcoder", "shared/encryption", "shared/media", "shared/mp4")


async def toolchain(ffmpeg: str) -> str:
    """SHA-256 (hex) of what ffmpeg says of itself and its libraries, of a frame out of its encoder, and of our own code.

    The frame, because an encoder may be a library that is replaced without ffmpeg: x264 writes its version into the stream.

    Returns an empty text where ffmpeg does not do that much: then nothing can be said to be made alike.
    """
    limits = ProcessLimits(seconds=_SECONDS)
    # One thread, since their number is written there too.
    frame = [
        *("-nostdin", "-loglevel", "error", "-f", "lavfi", "-i", "color=size=64x64", "-frames:v", "1", "-threads", "1"),
        *("-c:v", H264.encoder_on("cpu").name, "-f", "h264", "-"),
    ]
    digest = sha256()
    for arguments in (["-version"], frame):
        try:
            finished = await run_process([ffmpeg, "-hide_banner", *arguments], limits=limits, touches=Touches())
        except ProcessTimeout:
            return ""
        if finished.status:
            return ""
        digest.update(finished.output)
    digest.update(await asyncio.to_thread(_code))
    return digest.hexdigest()


def _code() -> bytes:
    files = (file for folder in _CODE for file in (_ROOT / folder).rglob("*") if file.suffix in (".py", ".toml"))
    return b"".join(sha256(file.read_bytes()).digest() for file in sorted(files))

"""What encryption changes in a presentation, before playlists and manifest are written from it. Pure."""

from dataclasses import replace

from services.uploader.manifest.assembly import Mismatch
from services.uploader.manifest.presentation import AudioRendition, Presentation, Rendition, VideoRendition
from shared.encryption.header import protected_header
from shared.encryption.objects import encrypted_object_size
from shared.encryption.protection import ProtectedKey, Protection
from shared.mp4.bmff import MalformedMedia


def protected(presentation: Presentation, protection: Protection | None) -> Presentation:
    """The presentation as it lies in the bucket: with the sizes that its segments have there, and what players are told of keys.

    Args:
        protection: None for a presentation in the clear, which stays as it is.

    Raises:
        Mismatch: a rendition has no key, or its initialization segment is none of ours.
    """
    if protection is None:
        return presentation
    try:
        return replace(
            presentation,
            scheme=protection.scheme,
            video=tuple(_video(one, protection) for one in presentation.video),
            audio=tuple(_audio(one, protection) for one in presentation.audio),
        )
    except (LookupError, MalformedMedia) as error:
        raise Mismatch(str(error)) from error


def _video(one: VideoRendition, protection: Protection) -> VideoRendition:
    key = protection.key_for(one.folder, pixels=one.width * one.height)
    return replace(one, key=key, sizes=_sizes(one, protection), init_segment=_init_segment(one, key, protection))


def _audio(one: AudioRendition, protection: Protection) -> AudioRendition:
    key = protection.key_for(one.folder)
    return replace(one, key=key, sizes=_sizes(one, protection), init_segment=_init_segment(one, key, protection))


def _sizes(one: Rendition, protection: Protection) -> tuple[int, ...]:
    return tuple(encrypted_object_size(size, protection.scheme) for size in one.sizes)


def _init_segment(one: Rendition, key: ProtectedKey | None, protection: Protection) -> bytes:
    """What players are told before the first sample; that whole segments are encrypted, the playlist alone tells them."""
    return protected_header(one.init_segment, key) if key and protection.scheme == "cbcs" else one.init_segment

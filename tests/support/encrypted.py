"""Keys of an encrypted content, and what players are told of them, as a fetcher would have it from a key service."""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace

from services.uploader.manifest.protection import protected
from shared.encryption.cbcs import encrypt_segment
from shared.encryption.keys import ContentKey
from shared.encryption.objects import is_encrypted
from shared.encryption.protection import ProtectedKey, Protection, Scheme, Tracks
from shared.encryption.whole import encrypt_whole
from tests.support.written import Picture, Written, with_documents, write_parts

CONTENT = "cf6c30dd50c1492e82344ea3e139da1d"
KEY_FILE = "content.key"


def content_key(tracks: Tracks = "all", number: int = 0) -> ContentKey:
    """A key of that content; each number has another one."""
    kid = bytes.fromhex(CONTENT)[:-1] + bytes((0x1D + number,))
    return ContentKey(tracks, kid, bytes(range(number, 16 + number)), bytes(range(64 + number, 80 + number)))


def protection(scheme: Scheme = "cbcs", *keys: ContentKey) -> Protection:
    """What the log says of these keys, or of the one for all tracks."""
    told = keys or (content_key(),)
    return Protection(scheme=scheme, content_id=CONTENT, keys=tuple(_told(scheme, key) for key in told))


def _told(scheme: Scheme, key: ContentKey) -> ProtectedKey:
    kid, iv = key.kid.hex(), key.iv.hex()
    if scheme == "aes-128":
        return ProtectedKey(
            tracks=key.tracks, kid=kid, iv=iv, media_lines=(f'#EXT-X-KEY:METHOD=AES-128,URI="/{KEY_FILE}",IV=0x{iv}',)
        )
    # Two systems, of which nobody has to understand the boxes.
    pssh = b"\0\0\0\x24pssh\0\0\0\0" + bytes.fromhex("edef8ba979d64acea3c827dcd51d21ed") + b"\0\0\0\4" + key.kid[-4:]
    shown = b64encode(pssh).decode()
    widevine = (
        f'METHOD=SAMPLE-AES,URI="data:text/plain;base64,{shown}",KEYID=0x{kid},IV=0x{iv},KEYFORMATVERSIONS="1",'
        'KEYFORMAT="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"'
    )
    fairplay = f'METHOD=SAMPLE-AES,URI="skd://{kid}",KEYFORMATVERSIONS="1",KEYFORMAT="com.apple.streamingkeydelivery"'
    element = (
        '<ContentProtection schemeIdUri="urn:uuid:edef8ba9-79d6-4ace-a3c8-27dcd51d21ed" xmlns:cenc="urn:mpeg:cenc:2013">'
        f"<cenc:pssh>{shown}</cenc:pssh></ContentProtection>"
    )
    return ProtectedKey(
        tracks=key.tracks, kid=kid, iv=iv, pssh=(b64encode(pssh),), mpd=(element,),
        media_lines=(f"#EXT-X-KEY:{widevine}", f"#EXT-X-KEY:{fairplay}"),
        session_lines=(f"#EXT-X-SESSION-KEY:{widevine}", f"#EXT-X-SESSION-KEY:{fairplay}"),
    )  # fmt: skip


def write_encrypted(scheme: Scheme = "cbcs", *keys: ContentKey) -> Written:
    """A presentation in two sizes, encrypted with these keys, or with the one for all tracks; that of AES-128 lies beside it."""
    told, chosen = protection(scheme, *keys), keys or (content_key(),)
    # Of the larger one there is more than the most that counts as SD.
    clear, files, pictures = write_parts(Picture(), Picture(width=1280, height=720), mapped=True)
    presentation = protected(clear, told)
    by_kid = {key.kid.hex(): key for key in chosen}
    folders = {one.folder: by_kid[one.key.kid] for one in presentation.all_renditions if one.key}
    encrypted = encrypted_files(files, folders, scheme)
    beside = {f"/{KEY_FILE}": chosen[0].key} if scheme == "aes-128" else {}
    written = with_documents(presentation, encrypted, pictures)
    return replace(written, files=written.files | beside)


def encrypted_files(files: Mapping[str, bytes], keys: Mapping[str, ContentKey], scheme: Scheme) -> dict[str, bytes]:
    """The files as they lie in the bucket, with the key of each folder."""
    encrypt = encrypt_whole if scheme == "aes-128" else encrypt_segment
    return {
        path: encrypt(body, keys[path.rpartition("/")[0]]) if is_encrypted(path) else body
        for path, body in files.items()
    }

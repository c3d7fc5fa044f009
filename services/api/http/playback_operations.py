"""The operations of playing outputs as the OpenAPI document describes them."""

from services.api.contract.playback import Playback
from services.api.http.operation import Operation

_TAG = "Playback"
_PLAYBACK = "/api/v1/{org}/transcoding_jobs/{job}/playback/"
PLAYBACK_OPERATIONS = (
    Operation(
        "get",
        _PLAYBACK,
        "retrievePlayback",
        _TAG,
        "Addresses for players",
        200,
        Playback,
        errors=(409,),
        role="viewer",
        description="The bucket may be private: playlists are answered by this server, with presigned addresses of the media. "
        "409 where there is no output, or where it lies elsewhere than in the organization's storage and the operator has set "
        "no address for players.",
    ),
    Operation(
        "get",
        _PLAYBACK + "{path}",
        "play",
        _TAG,
        "What a player asks for",
        200,
        "application/vnd.apple.mpegurl",
        query=("expires of playback", "signature of playback"),
        errors=(409,),
        description="Below the prefix of the output. Playlists, DASH manifests and the cues of the seek bar are answered with "
        "addresses that lead on; all else by 302 to a presigned address at the storage. A token or a session does instead of "
        "`expires` and `signature`, with which neither is needed. Keys of AES-128 are named by signed addresses.",
        role="viewer",
    ),
)

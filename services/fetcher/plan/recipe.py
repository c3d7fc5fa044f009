"""What the parts of a job are made by, in one digest. Pure."""

import json
from hashlib import sha256

from shared.encryption.keys import KeySet
from shared.media.plan import Plan
from shared.media.source import Source

# How many parts are under way at the same time changes nothing in them.
_OF_THE_FLEET = {"window", "widest"}


def recipe_of(content: str, source: Source, plan: Plan, keys: KeySet | None = None) -> str:
    """The recipe: SHA-256 (hex), empty where nothing tells the content of the source from another.

    Args:
        content: what tells it, as text; may be empty.
        keys: that the output is encrypted with. Of a key of 128 random bits the digest tells nothing.
    """
    if not content:
        return ""
    parts: list[object] = [content, source.model_dump(mode="json"), plan.model_dump(mode="json", exclude=_OF_THE_FLEET)]
    if keys:
        # What else players are told of them stands in no segment.
        parts.append([keys.protection.scheme, *(key.to_json() for key in keys.keys)])
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

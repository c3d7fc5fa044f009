"""Languages as sources tag them, in the words of HLS and DASH: BCP 47 (RFC 5646). Pure."""

from langcodes import standardize_tag, tag_is_valid
from langcodes.tag_parser import LanguageTagError

# Undetermined, no code of its own, what tools write who do not know, and what only its owner understands.
_UNKNOWN = frozenset({"und", "mis", "unk", "xxx", "x"})


def bcp47(tag: str | None) -> str | None:
    """The language tag for a tag such as ``eng``, ``ger`` or ``pt_br``: ``en``, ``de``, ``pt-BR``.

    BCP 47 wants the shortest code, and the one that took the place of a withdrawn one. None where the tag says nothing, or is
    none. What comes back has only letters, digits and hyphens.
    """
    try:
        found = standardize_tag((tag or "").strip())
    except LanguageTagError:
        return None
    if found.partition("-")[0] in _UNKNOWN or not tag_is_valid(found):
        return None
    return found

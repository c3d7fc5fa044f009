"""How the manifest tells of encryption: ``ContentProtection`` (ISO/IEC 23009-1, 5.8.4.1; ISO/IEC 23001-7, 11.2). Pure."""

from uuid import UUID
from xml.etree import ElementTree
from xml.parsers import expat

from services.uploader.manifest.assembly import Mismatch
from shared.encryption.protection import ProtectedKey

NAMESPACE = {"xmlns:cenc": "urn:mpeg:cenc:2013"}
"""What the manifest declares where anything in it is encrypted. Elements of key systems declare what they need themselves."""

_COMMON_ENCRYPTION = "urn:mpeg:dash:mp4protection:2011"


def add_protection(adaptation: ElementTree.Element, key: ProtectedKey | None) -> None:
    """Say by which key the segments of an adaptation set are encrypted: the scheme first, then the key systems, as they came.

    Raises:
        Mismatch: what is to be told of the key is no XML.
    """
    if key is None:
        return
    ElementTree.SubElement(
        adaptation,
        "ContentProtection",
        # Players match the id with that in the tracks as a text, and there UUIDs have hyphens.
        {"schemeIdUri": _COMMON_ENCRYPTION, "value": "cbcs", "cenc:default_KID": str(UUID(hex=key.kid))},
    )
    try:
        adaptation.extend([verbatim(text) for text in key.mpd])
    except ValueError as error:
        raise Mismatch(str(error)) from error


def verbatim(text: str) -> ElementTree.Element:
    """An XML element with every prefix as it is written.

    ElementTree's own parser resolves prefixes and writes others, and some players look for the usual ones by name.

    Raises:
        ValueError: it is no XML, or declares a document type.
    """
    builder, parser = ElementTree.TreeBuilder(), expat.ParserCreate()

    def refuse(*_declared: object) -> None:
        raise ValueError("a document type in what is told of a key")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    try:
        parser.Parse(text, True)
    except expat.ExpatError as error:
        raise ValueError(f"no XML in what is told of a key: {error}") from error
    return builder.close()

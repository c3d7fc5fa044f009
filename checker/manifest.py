"""Reads a DASH manifest (ISO/IEC 23009-1) as it is written, right or wrong; judging it is for the rules. Pure."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import NamedTuple
from urllib.parse import urljoin
from xml.etree import ElementTree

from checker.playlist import resolver

_NAMESPACE = "{urn:mpeg:dash:schema:mpd:2011}"
_DEFAULT_KID = "{urn:mpeg:cenc:2013}default_KID"
_DURATION = re.compile(
    r"P(?:([0-9]{1,6})D)?(?:T(?:([0-9]{1,6})H)?(?:([0-9]{1,6})M)?(?:([0-9]{1,9}(?:\.[0-9]{1,12})?)S)?)?", re.ASCII
)
# With every % written twice.
_IDENTIFIER = re.compile(r"\$(RepresentationID|Number|Time|Bandwidth|)(?:%%0([0-9]{1,2})d)?\$")
_WHOLE = re.compile(r"[0-9]{1,18}")
_MOST_BYTES = 64 * 1024 * 1024
_MOST_SEGMENTS = 1_000_000


class NotAManifest(ValueError):
    """The text is no manifest, or asks for more than anybody would read."""


Timed = tuple[str, int, int]
"""A segment: its address, resolved, and its start and duration in ticks of its template."""


class Descriptor(NamedTuple):
    """An element such as ``Role``: its scheme and value; of ``ContentProtection`` perhaps the id of a key."""

    element: str
    scheme: str
    value: str
    default_kid: str | None = None


@dataclass(frozen=True)
class Template:
    """A ``SegmentTemplate``.

    Attributes:
        timescale: ticks per second.
        timeline: start, duration and repeats of each ``S`` in it; None without a timeline.
    """

    attributes: Mapping[str, str]
    timescale: int
    timeline: tuple[tuple[int | None, int, int], ...] | None

    @cached_property
    def times(self) -> list[tuple[int, int]]:
        """Start and duration (ticks) of each segment of the timeline.

        Raises:
            NotAManifest: there are too many.
        """
        found: list[tuple[int, int]] = []
        at = 0
        for start, duration, repeats in self.timeline or ():
            if len(found) + repeats > _MOST_SEGMENTS:
                raise NotAManifest(f"more than {_MOST_SEGMENTS} segments")
            at = at if start is None else start
            found += [(at + number * duration, duration) for number in range(repeats + 1)]
            at += (repeats + 1) * duration
        return found


@dataclass(frozen=True, kw_only=True)
class Representation:
    """A ``Representation`` and what it has from the set around it.

    Attributes:
        attributes: its own, and of the set those that it does not have itself.
        base: address against which its segments are resolved. base_urls: how many BaseURL elements it has itself.
        properties: its own descriptors.
    """

    attributes: Mapping[str, str]
    base: str
    base_urls: int
    template: Template | None
    properties: tuple[Descriptor, ...]

    @property
    def where(self) -> str:
        """What to call it in a finding."""
        return f"Representation {self.attributes.get('id', '?')}"

    def address(self, name: str) -> str | None:
        """An address that the template names, such as ``initialization``, resolved; None where it does not."""
        text = self.template.attributes.get(name) if self.template else None
        return None if text is None else urljoin(self.base, self._pattern(text) % {"Number": 0, "Time": 0})

    def segments(self) -> Iterator[Timed]:
        """The segments of the timeline.

        Raises:
            NotAManifest: there are too many.
        """
        template = self.template
        media = template.attributes.get("media") if template else None
        if template is None or media is None:
            return
        pattern, resolve = self._pattern(media), resolver(self.base)
        first = whole(template.attributes.get("startNumber", "1")) or 0
        for number, (start, duration) in enumerate(template.times, start=first):
            yield resolve(pattern % {"Number": number, "Time": start}), start, duration

    def _pattern(self, text: str) -> str:
        """A template of the manifest as one of ours for ``%``, with Number and Time left."""
        values = {"RepresentationID": self.attributes.get("id", ""), "Bandwidth": self.attributes.get("bandwidth", "")}

        def value(match: re.Match[str]) -> str:
            name, width = match[1], int(match[2] or 1)
            if name in values:
                return values[name].zfill(width).replace("%", "%%")
            return f"%({name})0{width}d" if name else "$"

        literals = text.replace("%", "%%")
        return _IDENTIFIER.sub(value, literals)


@dataclass(frozen=True, kw_only=True)
class AdaptationSet:
    """An ``AdaptationSet``: its attributes, what it is called, its descriptors and representations."""

    attributes: Mapping[str, str]
    label: str | None
    descriptors: tuple[Descriptor, ...]
    representations: tuple[Representation, ...]

    @property
    def where(self) -> str:
        """What to call it in a finding."""
        return f"AdaptationSet {self.attributes.get('id', '?')}"

    @property
    def kind(self) -> str:
        """``video``, ``audio``, ``text`` or ``image``; where it does not say so, by the type of its files."""
        types = [one.attributes.get("mimeType", "") for one in self.representations]
        return self.attributes.get("contentType") or next((one.partition("/")[0] for one in types if one), "")

    def values(self, element: str, scheme: str) -> list[str]:
        """Values of its descriptors of a kind and scheme."""
        return [one.value for one in self.descriptors if (one.element, one.scheme) == (element, scheme)]


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """A manifest: the attributes of ``MPD`` and of each ``Period``, and all adaptation sets."""

    url: str
    attributes: Mapping[str, str]
    periods: tuple[Mapping[str, str], ...]
    sets: tuple[AdaptationSet, ...] = field(repr=False)

    def of(self, kind: str) -> Iterator[tuple[AdaptationSet, Representation]]:
        """The representations of a kind, each with its set."""
        for one in self.sets:
            if one.kind == kind:
                yield from ((one, representation) for representation in one.representations)


def parse_manifest(body: bytes, url: str) -> Manifest:
    """Read a manifest; addresses come out resolved against ``url`` (a URL or a path).

    Raises:
        NotAManifest: it is none.
    """
    if len(body) > _MOST_BYTES:
        raise NotAManifest(f"{url} has {len(body)} bytes")
    try:
        # Entities are declared in a document type, and with one of those nothing is read at all. An encoding that nobody
        # knows is a LookupError.
        root = ElementTree.fromstring(body, ElementTree.XMLParser(target=_WithoutDoctype()))  # noqa: S314
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise NotAManifest(f"{url}: {error}") from error
    if root.tag != f"{_NAMESPACE}MPD":
        raise NotAManifest(f"{url} has no MPD but {root.tag}")
    base, sets = _base(root, url), list[AdaptationSet]()
    periods = _all(root, "Period")
    for period in periods:
        period_base = _base(period, base)
        sets += [_set(one, _base(one, period_base), _template(period)) for one in _all(period, "AdaptationSet")]
    return Manifest(url=url, attributes=root.attrib, periods=tuple(one.attrib for one in periods), sets=tuple(sets))


def seconds_of(text: str | None) -> Fraction | None:
    """An ``xs:duration`` in seconds; None where it is none."""
    found = _DURATION.fullmatch(text or "")
    if not found or not any(found.groups()):
        return None
    days, hours, minutes, seconds = (Fraction(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + seconds


def whole(text: str | None) -> int | None:
    """A whole number that is not negative; None where it is none."""
    return int(text) if text and _WHOLE.fullmatch(text) else None


class _WithoutDoctype(ElementTree.TreeBuilder):
    def doctype(self, name: str, _public: str | None, _system: str | None) -> None:
        raise NotAManifest(f"a document type {name} is declared")


def _all(element: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return element.findall(f"{_NAMESPACE}{name}")


def _base(element: ElementTree.Element, around: str) -> str:
    return next((urljoin(around, (one.text or "").strip()) for one in _all(element, "BaseURL")), around)


def _set(element: ElementTree.Element, base: str, around: Template | None) -> AdaptationSet:
    template = _template(element, around)
    labels = [one.text or "" for one in _all(element, "Label")]
    return AdaptationSet(
        attributes=element.attrib,
        label=labels[0] if labels else None,
        descriptors=_descriptors(element),
        representations=tuple(
            Representation(
                attributes={**element.attrib, **one.attrib},
                base=_base(one, base),
                base_urls=len(_all(one, "BaseURL")),
                template=_template(one, template),
                properties=_descriptors(one),
            )
            for one in _all(element, "Representation")
        ),
    )


def _descriptors(element: ElementTree.Element) -> tuple[Descriptor, ...]:
    return tuple(
        Descriptor(
            one.tag.removeprefix(_NAMESPACE), one.attrib["schemeIdUri"], one.get("value", ""), one.get(_DEFAULT_KID)
        )
        for one in element
        if "schemeIdUri" in one.attrib
    )


def _template(element: ElementTree.Element, around: Template | None = None) -> Template | None:
    """The template of an element, with what it has from the one around."""
    found = next(iter(_all(element, "SegmentTemplate")), None)
    if found is None:
        return around
    timelines = _all(found, "SegmentTimeline")
    timeline = around.timeline if around else None
    if timelines:
        timeline = tuple(_entry(one) for one in _all(timelines[0], "S"))
    attributes = {**(around.attributes if around else {}), **found.attrib}
    timescale = whole(attributes.get("timescale", "1"))
    if not timescale:
        raise NotAManifest(f"a timescale of {attributes['timescale']}")
    return Template(attributes, timescale, timeline)


def _entry(element: ElementTree.Element) -> tuple[int | None, int, int]:
    start, duration = element.get("t"), whole(element.get("d"))
    repeats = whole(element.get("r", "0"))
    if duration is None or repeats is None or (start is not None and whole(start) is None):
        raise NotAManifest(f"an S of {dict(element.attrib)}")
    return whole(start), duration, repeats

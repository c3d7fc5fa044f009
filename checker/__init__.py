"""Holds a finished presentation against the rules for HLS and DASH, and what its documents say against what its files hold.

``python -m checker <multivariant playlist, URL or path> [--json]``. Exit status 0: no MUST is violated; 1: one is; 2: the
multivariant playlist cannot be read.

It checks the rules of Apple's HLS authoring specification and of RFC 8216bis that concern a finished presentation, and
measures every number that Millrace writes: in the playlists, in the DASH manifest, in segments of text, and in the cues for the
seek bar. A test plants a small fault in each of them, one after the other, and wants it found.

It trusts nothing. Playlists, manifest, boxes, parameter sets, audio configurations, captions and WebVTT are read by code of
its own, and rates and times come out of its own arithmetic; it imports nothing of the services nor of ``shared`` (an import
contract sees to that), because code that finds its own mistakes right is no check. Tests hold both readings against each
other. What it does not look into is coded pictures and sound beyond the headers that it names: whether they can be decoded, and
what they show, is for players.

Bytes come in by :mod:`~checker.source` and :mod:`~checker.reading`; all else is pure. Readers make a
:class:`~checker.presentation.Presentation` out of them, on which the rules in :mod:`~checker.judging` are applied.
:mod:`~checker.subset` does that for the uploader, before a job is completed and without the segments.
"""

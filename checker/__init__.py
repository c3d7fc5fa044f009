"""Checks a finished stream against Apple's authoring rules for HLS and RFC 8216bis, and what it says against what it holds.

``python -m checker <master playlist, URL or path> [--json]``; exit status 0: no MUST is violated, 1: one is,
2: the master playlist cannot be read. It trusts nothing that the rest of the service knows: playlists are parsed and
segments are measured anew.
"""

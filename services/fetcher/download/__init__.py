"""Bringing a source here: ranged, resumed, checked, from HTTP or S3."""

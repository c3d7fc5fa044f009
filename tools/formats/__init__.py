"""``python -m tools.formats``: sends a sample of everything through a stack of its own and writes docs/formats.md from it."""

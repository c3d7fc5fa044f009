"""Encrypted output: what of it is public, and the keys, which never stand in the log. Pure."""

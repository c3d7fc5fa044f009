"""Codecs as data: ``table.py`` has a row for each, ``codec.py`` says what a row is, and each codec has a module of its own.

Pure. What reads or writes a codec's own bytes, or names one of its encoders, is in its module and nowhere else. So is
what of a sample stays in the clear where it is encrypted (in H.264 the head of a slice).
"""

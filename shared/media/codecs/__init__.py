"""Codecs as data: ``table.py`` has a row for each, ``codec.py`` says what a row is, and each codec has a module of its own.

Pure. What reads or writes a codec's own bytes, or names one of its encoders, is in its module and nowhere else. So is, once
renditions are encrypted, what of a sample has to stay in the clear for it (in H.264 the head of a slice).
"""

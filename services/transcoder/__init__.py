"""The transcoder: encodes one part of a job at a time per slot.

Consumes ``part_requested.<part>``. Publishes ``part_transcoded.<part>``, then ``part_requested.<next>``, which moves the
job's window on. Owns nothing: it reads the source from the work space and leaves the part's segments there.
"""

"""The transcoder: encodes one part of a job at a time per slot.

Hears ``part_requested.<part>``; says ``part_transcoded.<part>``, then ``part_requested.<next>``, which moves the job's
window on. Owns nothing: it reads the source from the work space and leaves the part's segments there.
"""

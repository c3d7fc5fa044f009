"""The fetcher: brings a job's source into the work space and decides how it will be encoded.

Consumes ``admitted``. Publishes ``started``, ``fetched``, the first window of ``part_requested``, and ``end.failed`` where
the source or the output's bucket is at fault. Owns the job's ``source`` folder of the work space until ``fetched``.
A job that runs another one again inherits what is still valid of that one; which is found out here.
"""

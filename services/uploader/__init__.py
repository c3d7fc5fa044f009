"""The uploader: brings a job's output to the customer's bucket.

Consumes ``part_transcoded.<part>``, and uploads that part's segments while other parts are still being encoded. Publishes
``part_uploaded.<part>``. The one that uploads the last part verifies what lies in the bucket, writes the sheet for the seek
bar and the playlists, the multivariant playlist last, and publishes ``end.completed``.

Consumes ``end.*`` too, as the janitor: removes the job's credentials from the vault and its files from the work space, where
those that its retry could use are kept for a while. What a failed or cancelled job has uploaded stays in the bucket: it may
lie over older objects of the same names, and only the owner knows what they are worth. There is no multivariant playlist that
leads to it.

Owns the objects below a running job's output prefix.
"""

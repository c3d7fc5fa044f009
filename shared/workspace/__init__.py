"""The work space: where a job's source and its finished parts lie between the services.

``space`` says what it does for the services, in verbs; ``opening`` makes the one that the settings name. There are two: a folder
that all workers share (``shared_folder``, on the folders and files of ``folder``), and S3 (``s3_space``), for workers on hosts of
their own.
"""

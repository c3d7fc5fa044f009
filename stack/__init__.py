"""The embedded stack: NATS, PostgreSQL, an S3 server and the five services on one machine, without root or Docker.

``python -m stack up|down|ps|logs|demo|bench`` (or ``make``). One supervisor process per state directory starts the
programs and starts them again when they die; everything it knows and keeps lies under that directory.
"""

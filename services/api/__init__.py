"""The api: REST in, jobs on the bus, and the projection of their log in Postgres.

Consumes every event of every job and every fact about deliveries. Publishes ``created``, ``admitted`` and
``end.cancelled``, and webhook attempts that redeliver. Answers NATS about bus users, and their requests for replays. Owns
Postgres (nobody else reads or writes it), the sealed bucket of each organization's hooks, and the layout of the bus: streams,
buckets, consumers.
"""

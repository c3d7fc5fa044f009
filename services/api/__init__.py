"""The api: REST in, jobs on the bus, and the projection of their log in Postgres.

Says ``created``, ``admitted`` and ``end.cancelled``, webhook redeliveries, and each organization's hooks (a sealed bucket).
Hears every event of every job and every fact about deliveries. Owns Postgres: nobody else reads or writes it.
"""

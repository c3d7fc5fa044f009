"""The projection of the log into Postgres, and the leader among the replicas that keeps it and admits jobs."""

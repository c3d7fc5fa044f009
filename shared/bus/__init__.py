"""The bus: NATS JetStream. Subjects, streams and consumers, the log of a job, and the policy of work taken from it."""

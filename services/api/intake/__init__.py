"""Accepting a job: reservations first, then the log."""

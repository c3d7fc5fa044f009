"""Webhooks: registered, listed, redelivered, and published to the notifier."""

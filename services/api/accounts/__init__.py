"""Organizations, their users, tokens and storage."""

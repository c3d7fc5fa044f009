"""The customer's bucket: writing, reading back, verifying."""

"""Reading, cancelling and following jobs, and what they have taken."""

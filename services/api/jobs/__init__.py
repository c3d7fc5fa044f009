"""Reading, cancelling and following jobs."""

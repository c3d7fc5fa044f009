"""Documents that are made from the code, so that they say what it does. ``python -m tools.documents`` writes them."""

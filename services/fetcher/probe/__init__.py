"""Finding out what a source is, and making it one that can be cut."""

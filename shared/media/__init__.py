"""Models of media that pass between services, and the few tools both ends of a part need."""

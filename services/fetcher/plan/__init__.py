"""From the facts of a source to the plan of its encode. Pure."""

"""The feed: customers' own users of the bus, who they are, that they connect, and what they can have replayed."""

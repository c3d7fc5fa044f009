"""When Python looks for reference cycles: rarely through everything, because the whole process stands still meanwhile."""

import gc

# A full collection goes through all that lives, 1 ms for 10,000 objects. Young objects are collected as often as by default;
# everything after 700 * 10 * 100 more containers than were freed, which is less than the tables of a film of 24 hours and
# 100 MB at most if all of them were dead.
_THRESHOLDS = (700, 10, 100)


def settle() -> None:
    """Exempt what lives now from all collections, and make full ones rare. To be called when a service has started."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)

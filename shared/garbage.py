"""When Python looks for reference cycles: rarely through everything, because the whole process stands still meanwhile."""

import gc
from itertools import count

# A full collection goes through all that lives, 1 ms for 10,000 objects. Young objects are collected as often as by default;
# everything after 700 * 10 * 100 more containers than were freed, which is less than the tables of a film of 24 hours and
# 100 MB at most if all of them were dead.
_THRESHOLDS = (700, 10, 100)


# What a client for S3 leaves behind: 2,300 objects and half a megabyte, in cycles. So many of them take 5 ms to collect.
_DISCARDED_AT_ONCE = 4

_discarded = count(1)


def spare_what_is_loaded() -> None:
    """Exempt all modules from collections, before an event loop that would wait for one. Takes no time itself."""
    gc.freeze()


def settle() -> None:
    """Exempt what lives now from all collections, and make full ones rare. To be called when a service has started."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)


def discarded() -> None:
    """Tell that something went out of use whose many parts refer to each other, as a client for S3 does.

    Every few times all of it is collected. Without this, hundreds of them would lie about until the next full collection, and
    what the process has taken for them once, it keeps: the heap has no end to give back when something younger lies there.
    """
    if next(_discarded) % _DISCARDED_AT_ONCE == 0:
        gc.collect()

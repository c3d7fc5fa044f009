"""The cage: what programs that work on strangers' files are held in by the kernel.

``landlock.py``, ``seccomp.py``, ``user.py`` and ``network.py`` are its walls, each of which stands without the others;
``cage.py`` puts them up around one process, ``setup.py`` finds out at start which of them this machine has. docs/decisions/0018
gives the reasons. ``python -m shared.cage`` tries to break out.
"""

from typing import Literal

CageMode = Literal["on", "require", "off"]
"""``on``: as much of it as the kernel has; ``require``: all of it or no start; ``off``: limits and a network namespace alone."""

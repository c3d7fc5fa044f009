"""What Prometheus is told of the cage."""

from prometheus_client import Gauge

from shared.metrics import REGISTRY

WALLS = Gauge(
    "millrace_cage_wall",
    "1 where ffmpeg is held by this part of the cage, 0 where this machine lacks it: landlock, seccomp, network, user",
    ["wall"],
    registry=REGISTRY,
)

"""Where Prometheus finds the metrics of a stack."""

import json
from typing import Any

from stack.credentials import write_private
from stack.layout import Layout


def targets(layout: Layout) -> list[dict[str, Any]]:
    """Each service process, as an entry for ``file_sd_configs``; the job is ``millrace-<service>``."""
    return [
        {"targets": [f"127.0.0.1:{port}"], "labels": {"job": f"millrace-{name.partition('-')[0]}"}}
        for name, port in layout.health_ports.items()
    ]


def write_targets(layout: Layout) -> None:
    """Write the file that ``file_sd_configs`` may name."""
    write_private(layout.targets_file, json.dumps(targets(layout), indent=1) + "\n")

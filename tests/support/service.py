"""One of our services as a process of its own, with everything else made by the test.

with Service("uploader", nats_url=…, workspace_url=…, seal_keys=…) as uploader:
    uploader.kill(); uploader.start()
    uploader.log()
"""

import sys
from collections.abc import Mapping

from shared.settings import PREFIX, UNPREFIXED, CommonSettings
from stack.probes import http_ok
from tests.support import watch
from tests.support.ports import free_port
from tests.support.servers import Server


class Service(Server):
    """``python -m services.<name>``; it has started when it is ready for work.

    Args:
        settings: fields of the service's settings by name, in lower case. Private addresses are allowed unless set otherwise.
    """

    def __init__(self, name: str, **settings: object) -> None:
        super().__init__()
        self.name = name
        self.health_port = free_port()
        self._settings: Mapping[str, object] = {
            "allowed_hosts": "127.0.0.0/8,::1",
            "health_port": self.health_port,
        } | settings

    def argv(self) -> list[str]:
        variables = []
        for field, value in self._settings.items():
            own = "" if field in CommonSettings.model_fields or field in UNPREFIXED else f"{self.name.upper()}_"
            variables.append(f"{PREFIX}{own}{field.upper()}={value}")
        variables += [f"{name}={value}" for name, value in watch.inherited().items()]
        return ["/usr/bin/env", *variables, sys.executable, "-m", f"services.{self.name}"]

    def ready(self) -> bool:
        return http_ok(self.health_port, "/health/ready")

    @property
    def pid(self) -> int:
        """Of the running process."""
        assert self._process, "it does not run"
        return self._process.pid

    def log(self) -> str:
        """All that it has written so far, over all its starts."""
        path = self.folder / "server.log"
        return path.read_text() if path.exists() else ""

"""A worker whose slots ask for no work says so, and ends, although it reaches the bus."""

import http.client
import json
from pathlib import Path

from shared.bus.topology import JOBS, UPLOADER
from tests.support.api import SEAL_KEY
from tests.support.bus import provisioned
from tests.support.observe import eventually
from tests.support.servers import NatsServer
from tests.support.service import Service

# The worker with less patience than it has by itself: what is proved is not how long it waits.
_RUN = """
import runpy
from shared.bus import pulls
pulls.UNPROVED_SECONDS, pulls.UNHEALED_SECONDS = 7.0, 3
runpy.run_module("services.uploader", run_name="__main__", alter_sys=True)
"""


class ImpatientUploader(Service):
    """An uploader that soon ends where its slots are idle."""

    def argv(self) -> list[str]:
        argv = super().argv()
        return [*argv[: argv.index("-m")], "-c", _RUN]

    def problems(self) -> dict[str, str]:
        """What it says that it cannot reach."""
        connection = http.client.HTTPConnection("127.0.0.1", self.health_port, timeout=5)
        try:
            connection.request("GET", "/health/ready")
            return dict(json.loads(connection.getresponse().read())["problems"])
        except OSError:
            return {}
        finally:
            connection.close()


async def test_a_worker_that_pulls_from_nothing_is_not_ready_and_ends(
    nats_server_of_module: NatsServer, tmp_path: Path
) -> None:
    settings = {"nats_url": nats_server_of_module.url, "workspace_url": tmp_path.as_uri(), "seal_keys": SEAL_KEY}
    async with provisioned(nats_server_of_module) as client, ImpatientUploader("uploader", **settings) as uploader:
        await client.jetstream().delete_consumer(JOBS, UPLOADER.name)
        await eventually(lambda: uploader.problems() == {"pulls": "SlotsIdle"}, "it is not ready", seconds=30)
        await eventually(lambda: not uploader.running, "it ends", seconds=30)
        assert '"slots take no work: uploader"' in uploader.log()

"""Where a stack keeps its things and on which ports it listens: all of it follows from a few choices."""

from dataclasses import dataclass
from pathlib import Path

DEFAULT_PORT_BASE = 18080
PORTS_TAKEN = 100
MOST_TRANSCODERS = 80
NATS_NODES = (1, 3)
NATS_CA = "ca.pem"
BUCKET = "millrace"
WORKSPACES = ("folder", "s3")
WORKSPACE_BUCKET = "millrace-workspace"
REGION = "us-east-1"
# For clients, for the monitor, and for the other servers of the cluster, after the first port.
_NATS_PORTS = ((1, 2, 6), (7, 8, 9), (14, 15, 16))
REPOSITORY = Path(__file__).resolve().parent.parent


class StackError(Exception):
    """Something that the person at the terminal has to know or to change; the text says what."""


@dataclass(frozen=True)
class Layout:
    """Ports and paths of one stack.

    Attributes:
        state: absolute path of the state directory.
        port_base: the first of the 100 ports that belong to this stack.
        transcoders: how many transcoder processes run.
        nats: how many servers NATS has; three make a cluster.
        workspace_in: where the work space is: ``folder``, or ``s3`` as with workers on hosts of their own.
        nats_tls: whether NATS is spoken to by TLS alone, with certificates of the stack's own CA.

    Raises:
        StackError: one of them is out of range.
    """

    state: Path
    port_base: int = DEFAULT_PORT_BASE
    transcoders: int = 1
    nats: int = 1
    nats_tls: bool = False
    workspace_in: str = "folder"

    def __post_init__(self) -> None:
        if not 1024 <= self.port_base <= 65536 - PORTS_TAKEN:
            raise StackError(f"PORT_BASE must be from 1024 to {65536 - PORTS_TAKEN}, not {self.port_base}")
        if not 0 <= self.transcoders <= MOST_TRANSCODERS:
            raise StackError(f"TRANSCODERS must be from 0 to {MOST_TRANSCODERS}, not {self.transcoders}")
        if self.nats not in NATS_NODES:
            raise StackError(f"NATS_NODES must be 1 or 3, not {self.nats}")
        if self.workspace_in not in WORKSPACES:
            raise StackError(f"WORKSPACE must be folder or s3, not {self.workspace_in}")

    @property
    def nats_nodes(self) -> tuple[str, ...]:
        """Names of the servers of NATS."""
        return ("nats",) if self.nats == 1 else tuple(f"nats-{number}" for number in range(1, self.nats + 1))

    @property
    def nats_certificates(self) -> Path:
        """Where the certificates of NATS lie (:mod:`stack.certificates`)."""
        return self.state / "nats-tls"

    @property
    def nats_ca(self) -> Path | None:
        """The CA that NATS's certificate is signed by; None without TLS."""
        return self.nats_certificates / NATS_CA if self.nats_tls else None

    @property
    def services(self) -> tuple[str, ...]:
        """Names of the service processes, the api first."""
        transcoders = (f"transcoder-{number}" for number in range(1, self.transcoders + 1))
        return ("api", "fetcher", *transcoders, "uploader", "notifier")

    @property
    def ports(self) -> dict[str, int]:
        """The main port of each program by its name, and further ones of NATS and the api; a worker's is its health port."""
        servers = {"api": 0, "postgres": 3, "s3": 4, "playback": 5, "api-health": 10}
        for node, (client, monitor, route) in zip(self.nats_nodes, _NATS_PORTS, strict=False):
            servers |= {node: client, f"{node}-monitor": monitor}
            if self.nats > 1:
                servers[f"{node}-route"] = route
        ports = {name: self.port_base + offset for name, offset in servers.items()}
        workers = ("fetcher", "uploader", "notifier")
        ports |= {name: self.port_base + 11 + offset for offset, name in enumerate(workers)}
        many = range(1, self.transcoders + 1)
        return ports | {f"transcoder-{number}": self.port_base + 19 + number for number in many}

    @property
    def health_ports(self) -> dict[str, int]:
        """The health port of each service process by its name, where its metrics are as well."""
        ports = self.ports
        return {name: ports["api-health" if name == "api" else name] for name in self.services}

    @property
    def run(self) -> Path:
        """Pid files and records of the running processes; empty when nothing runs."""
        return self.state / "run"

    @property
    def choices_file(self) -> Path:
        """With which choices the running stack was started."""
        return self.run / "choices"

    @property
    def log(self) -> Path:
        """One log file for each program."""
        return self.state / "log"

    @property
    def objects(self) -> Path:
        """What the S3 server serves: a folder in it is a bucket."""
        return self.state / "s3"

    @property
    def workspace(self) -> Path:
        """The folder that the services share as their work space."""
        return self.state / "workspace"

    def scratch(self, name: str) -> Path:
        """The scratch folder of a service process: each has its own, as if it were on a host of its own."""
        return self.state / "scratch" / name

    @property
    def clips(self) -> Path:
        """Clips that the demo and the benchmark make."""
        return self.state / "clips"

    @property
    def env_file(self) -> Path:
        """What a client needs to know, as ``KEY=value`` lines."""
        return self.state / "env"

    @property
    def targets_file(self) -> Path:
        """Where Prometheus finds the metrics, in the format of its ``file_sd_configs``."""
        return self.state / "metrics-targets.json"

    @property
    def api_url(self) -> str:
        """Address of the REST API."""
        return f"http://127.0.0.1:{self.ports['api']}"

    @property
    def s3_endpoint(self) -> str:
        """Address of the S3 server."""
        return f"http://127.0.0.1:{self.ports['s3']}"

    @property
    def playback_url(self) -> str:
        """Address under which a player finds the buckets."""
        return f"http://127.0.0.1:{self.ports['playback']}"

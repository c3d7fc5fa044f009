"""Where a stack keeps its things and on which ports it listens: all of it follows from three choices."""

from dataclasses import dataclass
from pathlib import Path

DEFAULT_PORT_BASE = 18080
PORTS_TAKEN = 100
MOST_TRANSCODERS = 80
BUCKET = "millrace"
REGION = "us-east-1"
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

    Raises:
        StackError: the ports or the number of transcoders are out of range.
    """

    state: Path
    port_base: int = DEFAULT_PORT_BASE
    transcoders: int = 1

    def __post_init__(self) -> None:
        if not 1024 <= self.port_base <= 65536 - PORTS_TAKEN:
            raise StackError(f"PORT_BASE must be from 1024 to {65536 - PORTS_TAKEN}, not {self.port_base}")
        if not 0 <= self.transcoders <= MOST_TRANSCODERS:
            raise StackError(f"TRANSCODERS must be from 0 to {MOST_TRANSCODERS}, not {self.transcoders}")

    @property
    def services(self) -> tuple[str, ...]:
        """Names of the service processes, the api first."""
        transcoders = (f"transcoder-{number}" for number in range(1, self.transcoders + 1))
        return ("api", "fetcher", *transcoders, "uploader", "notifier")

    @property
    def ports(self) -> dict[str, int]:
        """The main port of each program by its name, and the monitor of NATS; a worker's is its health port."""
        servers = ("api", "nats", "nats-monitor", "postgres", "s3", "playback")
        ports = {name: self.port_base + offset for offset, name in enumerate(servers)}
        workers = ("fetcher", "uploader", "notifier")
        ports |= {name: self.port_base + 11 + offset for offset, name in enumerate(workers)}
        many = range(1, self.transcoders + 1)
        return ports | {f"transcoder-{number}": self.port_base + 19 + number for number in many}

    @property
    def run(self) -> Path:
        """Pid files and records of the running processes; empty when nothing runs."""
        return self.state / "run"

    @property
    def choices_file(self) -> Path:
        """With which ports and how many transcoders the running stack was started."""
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
        """The work space that the services share."""
        return self.state / "workspace"

    @property
    def clips(self) -> Path:
        """Clips that the demo and the benchmark make."""
        return self.state / "clips"

    @property
    def env_file(self) -> Path:
        """What a client needs to know, as ``KEY=value`` lines."""
        return self.state / "env"

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

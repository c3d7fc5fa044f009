"""Measures a download against programs that do nothing else, as a Markdown table: `rclone copyto` for S3, `curl` for HTTP.

    python -m tools.measure_fetch --gigabytes 3 --rounds 3

All read the same file from the same servers on this machine, by turns, and write it to the same disk. Beside the wall time
stands the processor time of the one who downloads, which other work on the machine changes least, and the most memory that
ours has had. Ours is a process of its own, with the settings that the fetcher has by default; unlike the others it returns
when the file is on the disk, and not in the memory of the kernel alone.
"""

import argparse
import asyncio
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from pydantic import SecretStr

from services.fetcher.download.download import SOURCE_FILE, Download, DownloadLimits
from services.fetcher.download.http_source import HttpSource, http_session
from services.fetcher.download.patience import PatienceLimits
from services.fetcher.download.s3_source import S3Source
from services.fetcher.settings import FetcherSettings
from shared.addresses import AddressPolicy
from shared.locations import S3Location
from shared.storage import s3_client, warm_up
from stack.probes import http_answers
from stack.processes import used_by, wait_until
from stack.program import installed

BUCKET, NAME = "films", "film.mp4"
KEY, SECRET = "measure", "measuring"
_POLICY = AddressPolicy.parse("127.0.0.0/8")
_PATIENCE = PatienceLimits(total=3600, without_progress=60, bytes_per_second=0)


@dataclass(frozen=True)
class Taken:
    """What a download took: seconds, processor seconds, and bytes of memory at the most, 0 where that is not known."""

    wall: float
    cpu: float
    memory: int


def main(arguments: Sequence[str]) -> None:
    """Measure and print."""
    wanted = _parser().parse_args(arguments)
    if wanted.download:
        print(json.dumps(asdict(asyncio.run(download(wanted.download, Path(wanted.folder))))))
        return
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="millrace-fetch-", dir=wanted.folder)))
        source = folder / "served" / BUCKET / NAME
        _make(source, wanted.gigabytes)
        s3, http = wanted.port, wanted.port + 1
        stack.enter_context(_served(folder, s3, "s3", f"--auth-key={KEY},{SECRET}"))
        stack.enter_context(_served(folder, http, "http", "--read-only"))
        ways = _ways(f"http://127.0.0.1:{s3}", f"http://127.0.0.1:{http}/{BUCKET}/{NAME}", folder)
        found = measure(ways, wanted.rounds, folder, source.stat().st_size)
    print("\n".join(report(found)))
    print(f"\nMedians of {wanted.rounds} rounds, {wanted.gigabytes} GB; load at the end {os.getloadavg()[0]:.1f}.")


def measure(
    ways: Mapping[str, Callable[[Path], Taken]], rounds: int, folder: Path, size: int
) -> dict[str, list[Taken]]:
    """Have each way download the file, by turns, each so often.

    Raises:
        RuntimeError: what one has written has not so many bytes.
    """
    found: dict[str, list[Taken]] = defaultdict(list)
    # The first round is not counted: the S3 server reads the whole file for its entity tag.
    for number in range(rounds + 1):
        for way, run in ways.items():
            target = folder / "target"
            target.mkdir()
            taken = run(target)
            if number:
                found[way].append(taken)
            if sum(path.stat().st_size for path in target.iterdir() if path.name in (SOURCE_FILE, NAME)) != size:
                raise RuntimeError(f"{way} has not written the whole file")
            shutil.rmtree(target)
            # What is still to be written to the disk must not hold up the next one.
            os.sync()
    return found


async def download(address: str, folder: Path) -> Taken:
    """Download to a folder as the fetcher does.

    Args:
        address: http(s), or that of an S3 service.
    """
    defaults = {name: member.default for name, member in FetcherSettings.model_fields.items()}
    limits = DownloadLimits(
        max_bytes=defaults["max_bytes"],
        keep_free=0,
        chunk_bytes=defaults["chunk_bytes"],
        connections=defaults["connections"],
        patience=_PATIENCE,
    )
    await warm_up()
    stall = float(defaults["stall_seconds"])
    before, begun = time.process_time(), time.perf_counter()
    if address.endswith(NAME):
        async with http_session(policy=_POLICY, stall_seconds=stall) as session:
            await _download(HttpSource(session, address), folder, limits)
    else:
        location = S3Location(
            bucket=BUCKET, key=NAME, endpoint=address, access_key=KEY, secret_key=SecretStr(SECRET), region="us-east-1"
        )
        async with s3_client(location, policy=_POLICY, read_timeout=stall, attempts=1) as client:
            await _download(S3Source(client, location), folder, limits)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Taken(time.perf_counter() - begun, time.process_time() - before, most)


async def _download(remote: HttpSource | S3Source, folder: Path, limits: DownloadLimits) -> None:
    async def on_progress(_: float) -> None:
        pass

    await Download(
        remote,
        folder,
        limits,
        free_bytes=lambda: shutil.disk_usage(folder).free,
        on_head=lambda _: None,
        on_progress=on_progress,
    ).run()


def report(found: Mapping[str, Sequence[Taken]]) -> Iterator[str]:
    """The figures as a table in Markdown: each way, and what of it is ours to what is another's."""
    yield "| download | wall s | processor s | memory MiB |"
    yield "|---|---:|---:|---:|"
    for way, all_taken in found.items():
        wall, cpu = (median(getattr(each, name) for each in all_taken) for name in ("wall", "cpu"))
        memory = max(each.memory for each in all_taken) / 2**20
        yield f"| {way} | {wall:.2f} | {cpu:.2f} | {f'{memory:.0f}' if memory else ''} |"
    for ours, theirs in (("S3: ours", "S3: rclone"), ("HTTP: ours", "HTTP: curl")):
        pairs = list(zip(found[ours], found[theirs], strict=True))
        wall, cpu = (
            median(getattr(one, name) / getattr(other, name) for one, other in pairs) for name in ("wall", "cpu")
        )
        yield f"| {ours} ÷ {theirs.partition(': ')[2]} | {wall:.2f} | {cpu:.2f} | |"


def _ways(s3: str, http: str, folder: Path) -> dict[str, Callable[[Path], Taken]]:
    def ours(address: str) -> Callable[[Path], Taken]:
        argv = [sys.executable, "-m", "tools.measure_fetch", "--download", address, "--folder"]
        return lambda target: Taken(
            **json.loads(subprocess.run([*argv, str(target)], check=True, stdout=subprocess.PIPE).stdout)
        )

    options = "provider=Other,env_auth=false,force_path_style=true,list_version=2"
    remote = f":s3,{options},access_key_id={KEY},secret_access_key={SECRET},endpoint='{s3}':{BUCKET}/{NAME}"
    rclone = [installed("rclone"), "copyto", "--config=/dev/null", f"--cache-dir={folder / 'cache'}", remote]
    return {
        "S3: ours": ours(s3),
        "S3: rclone": lambda target: _run([*rclone, str(target / NAME)]),
        "HTTP: ours": ours(http),
        "HTTP: curl": lambda target: _run(["curl", "-sS", "-f", "-o", str(target / NAME), http]),
    }


def _run(argv: Sequence[str]) -> Taken:
    begun = time.perf_counter()
    used = used_by(argv)
    # Its memory cannot be told: what counts as the most is what we had when it was forked.
    return Taken(time.perf_counter() - begun, used.ru_utime + used.ru_stime, 0)


@contextmanager
def _served(folder: Path, port: int, protocol: str, *options: str) -> Iterator[None]:
    own = ("--config=/dev/null", f"--cache-dir={folder / 'cache'}")
    argv = [installed("rclone"), "serve", protocol, f"--addr=127.0.0.1:{port}", *options, *own, str(folder / "served")]
    process = subprocess.Popen(argv, stderr=subprocess.DEVNULL)
    try:
        if not wait_until(lambda: http_answers(port), 20):
            raise RuntimeError(f"the {protocol} server does not answer")
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _make(path: Path, gigabytes: float) -> None:
    path.parent.mkdir(parents=True)
    block = os.urandom(2**20)
    with path.open("wb") as file:
        for _ in range(int(gigabytes * 1e9 / len(block))):
            file.write(block)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tools.measure_fetch", description=__doc__.splitlines()[0] if __doc__ else ""
    )
    parser.add_argument("--gigabytes", type=float, default=3, help="size of the file")
    parser.add_argument("--rounds", type=int, default=3, help="how often")
    parser.add_argument("--port", type=int, default=29_500, help="this and the next one are free")
    parser.add_argument("--folder", help="on whose disk to measure; by default where temporary files go")
    parser.add_argument("--download", help=argparse.SUPPRESS)
    return parser


if __name__ == "__main__":
    main(sys.argv[1:])

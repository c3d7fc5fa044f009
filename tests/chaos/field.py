"""Everything that a run has around it, and the faults that can befall it: programs, second services, the customer's servers."""

import asyncio
import os
import random
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from aiohttp import web

from services.fetcher.download.download import SOURCE_FILE
from shared.ids import new_job_id, new_org_code
from shared.workspace.folder import WorkFolder
from stack.credentials import load_or_create
from stack.layout import Layout
from stack.probes import http_ok
from stack.processes import Identity, descendants, identify
from stack.services import PREFIX, environment
from tests.chaos.redelivery import Redelivery
from tests.chaos.schedule import SECOND, SERVERS, Kind, Strike
from tests.support.clock import Clock
from tests.support.faults import Fault
from tests.support.ports import free_port
from tests.support.receiver import Reply
from tests.support.servers import Server
from tests.support.stack import RunningStack

_SHARE: tuple[Fault | None, ...] = ("unavailable", "broken", "refused", "cut", "short", None)
# What None above stands for: an answer that takes this long, in seconds.
_SLOW_SECONDS = 2.0
_WITHIN_SECONDS = 5.0
_MOST_STARTS = 5
_STEP_SECONDS = 3600
_MORE_THAN_FREE = 2**30


class Trouble:
    """What a server of the customer's makes of its calls; for a proxy before it, or for a receiver.

    Args:
        share: of the calls that go wrong all the time, in one way or another.
    """

    def __init__(self, dice: random.Random, share: float = 0) -> None:
        self._dice = dice
        self._share = share
        self._now: Counter[Kind] = Counter()

    @contextmanager
    def of(self, kind: Kind) -> Iterator[None]:
        """For as long as the block lasts, no call goes well."""
        self._now[kind] += 1
        try:
            yield
        finally:
            self._now[kind] -= 1

    def end(self) -> None:
        """From here on everything goes well."""
        self._share = 0

    async def __call__(self, _number: int, _request: web.Request) -> Fault | None:
        while self._now["silent"]:
            await asyncio.sleep(0.05)
        if self._now["refused"]:
            return "refused"
        if self._now["unavailable"]:
            return "unavailable"
        if self._dice.random() >= self._share:
            return None
        fault = self._dice.choice(_SHARE)
        if fault is None:
            await asyncio.sleep(_SLOW_SECONDS)
        return fault

    def reply(self, _payload: object) -> Reply:
        """The same for a receiver of webhooks, which has one way of being out of order."""
        return Reply(503 if self._now["unavailable"] or self._dice.random() < self._share else 200)


class Second(Server):
    """Another process of a service, beside the one that the supervisor runs: ``fetcher-2``."""

    def __init__(self, name: str, layout: Layout, settings: Mapping[str, str]) -> None:
        super().__init__()
        self.turn = asyncio.Lock()
        self._service = name.partition("-")[0]
        self._http_port = free_port()
        own, answering = f"{PREFIX}{self._service.upper()}_", str(self._http_port)
        # The api answers about its health where it answers everything; its other port is the first one's.
        ports = {"PORT": answering, "HEALTH_PORT": "0"} if self._service == "api" else {"HEALTH_PORT": answering}
        others = {f"{own}{kind}": port for kind, port in ports.items()}
        self._environment = environment(self._service, layout, load_or_create(layout.state), settings) | others

    def argv(self) -> list[str]:
        variables = (f"{name}={value}" for name, value in self._environment.items())
        return ["/usr/bin/env", *variables, sys.executable, "-m", f"services.{self._service}"]

    def ready(self) -> bool:
        return http_ok(self._http_port, "/health/ready")

    def restart(self, number: signal.Signals) -> None:
        """End it by a signal and start it, as often as it takes: one that gives up while a server is away is started again."""
        self._end(number)
        for _ in range(_MOST_STARTS - 1):
            with suppress(RuntimeError):
                return self.start()
        return self.start()


class Field:
    """Carries strikes out.

    Args:
        second: the second services by name; empty where a run does without.
        troubles: of ``source``, ``storage`` and ``receiver``.
    """

    def __init__(
        self,
        stack: RunningStack,
        second: Mapping[str, Second],
        troubles: Mapping[str, Trouble],
        redelivery: Redelivery,
        clock: Clock,
    ) -> None:
        self._stack = stack
        self._clock = clock
        self._step = _STEP_SECONDS
        self._redelivery = redelivery
        self._second = second
        self._troubles = troubles

    async def hit(self, strike: Strike) -> bool:
        """Carry one out, to its end; whether its victim was there."""
        if strike.victim in self._troubles:
            with self._troubles[strike.victim].of(strike.kind):
                await asyncio.sleep(strike.seconds)
            return True
        match strike.kind:
            case "outage":
                await self._keep_down(strike.victim, strike.seconds)
                return True
            case "SIGSTOP":
                return await self._freeze(strike.victim, strike.seconds)
            case "again":
                return await self._redelivery.again(strike.victim)
            case "twice":
                return await self._redelivery.twice(strike.victim, strike.seconds)
            case "step":
                return await self._set_clock(strike.seconds)
            case "full":
                await self._fill(strike.seconds)
                return True
            case _:
                return await self._signal(strike.victim, signal.Signals[strike.kind])

    async def _signal(self, victim: str, number: signal.Signals) -> bool:
        if victim not in SECOND:
            process = await self._process(victim)
            if process:
                process.send(number)
            return process is not None
        if victim not in self._second:
            return False
        server = self._second[victim]
        async with server.turn:
            await asyncio.to_thread(server.restart, number)
        return True

    async def _freeze(self, victim: str, seconds: float) -> bool:
        process = await self._process(victim)
        if not process:
            return False
        family = [process]
        if victim in SERVERS:
            family += filter(None, map(identify, descendants(process.pid)))
        for member in family:
            member.send(signal.SIGSTOP)
        try:
            await asyncio.sleep(seconds)
        finally:
            for member in family:
                member.send(signal.SIGCONT)
        return True

    async def _keep_down(self, victim: str, seconds: float) -> None:
        async def kill_each() -> None:
            while True:
                record = self._stack.record(victim)
                if record:
                    record.process.send(signal.SIGKILL)
                await asyncio.sleep(0.05)

        try:
            await asyncio.wait_for(kill_each(), seconds)
        except TimeoutError:
            return

    async def _set_clock(self, seconds: float) -> bool:
        """To a wrong time, ahead and behind in turns, and right again."""
        self._step = -self._step
        self._clock.set(self._step)
        try:
            await asyncio.sleep(seconds)
        finally:
            self._clock.set(0)
        return self._clock.settable

    async def _fill(self, seconds: float) -> None:
        """A file without content, as large as no disk: downloads keep the room free that others have reserved in this way."""
        space = WorkFolder(self._stack.layout.workspace.as_uri())
        org, job = new_org_code(), new_job_id()
        file = space.source(org, job) / SOURCE_FILE
        await asyncio.to_thread(_reserve, file, space.free_bytes() + _MORE_THAN_FREE)
        try:
            await asyncio.sleep(seconds)
        finally:
            await asyncio.to_thread(shutil.rmtree, space.job(org, job), ignore_errors=True)

    async def _process(self, victim: str) -> Identity | None:
        """The living process of a victim; waited for, for a moment, because it may just be being started again."""

        def find() -> Identity | None:
            if victim == "ffmpeg":
                return next(iter(self.encoders()), None)
            if victim in self._second:
                server = self._second[victim]
                return identify(server.pid) if server.running else None
            record = self._stack.record(victim)
            return record.process if record and record.process.alive else None

        return await _within(_WITHIN_SECONDS, find)

    def encoders(self) -> list[Identity]:
        """Running processes of ffmpeg and ffprobe, of all services."""
        workers = [server.pid for server in self._second.values() if server.running]
        supervised = [member.pid for member in self._stack.processes()]
        below = {pid for worker in workers for pid in descendants(worker)} | set(supervised)
        return [found for pid in sorted(below) if _is_encoder(pid) and (found := identify(pid))]


def _reserve(file: Path, size: int) -> None:
    file.parent.mkdir(parents=True)
    file.touch()
    os.truncate(file, size)


async def _within(seconds: float, find: Callable[[], Identity | None]) -> Identity | None:
    deadline = asyncio.get_running_loop().time() + seconds
    while not (found := find()) and asyncio.get_running_loop().time() < deadline:
        await asyncio.sleep(0.05)
    return found


def _is_encoder(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith(("ffmpeg", "ffprobe"))
    except OSError:
        return False

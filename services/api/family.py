"""Health of an api of several processes: whichever of them is asked answers for all of them.

Each has a Unix socket on which it tells the others of itself. Its metrics get the label ``process``: added up, they would seem to
fall with every process that is replaced.
"""

import asyncio
import json
import re
from collections.abc import Iterable, Mapping

import aiohttp
from aiohttp import web

from services.api.processes import Member
from shared.health import Check, Health

_ASK_SECONDS = 4.0
_COMMENT = re.compile(r"# (?:HELP|TYPE) (\S+)")
_SAMPLE = re.compile(r"([A-Za-z_:][\w:]*)(\{)?")
# What a histogram or summary called `name` has beside it.
_SUFFIXES = ("_bucket", "_sum", "_count")
_STARTING = {"start"}


class FamilyHealth(Health):
    """The health of all processes, as one of them tells it."""

    def __init__(self, checks: Mapping[str, Check], member: Member) -> None:
        super().__init__(checks)
        self._member = member
        self._own: web.AppRunner | None = None

    async def tell_others(self) -> None:
        """Let the other processes ask for what concerns this one."""

        async def problems(_request: web.Request) -> web.Response:
            return web.json_response(await super(FamilyHealth, self).problems())

        async def metrics(_request: web.Request) -> web.Response:
            return web.Response(body=await super(FamilyHealth, self).metrics())

        app = web.Application()
        app.add_routes([web.get("/problems", problems), web.get("/metrics", metrics)])
        self._own = web.AppRunner(app, access_log=None)
        await self._own.setup()
        await web.UnixSite(self._own, self._member.address()).start()

    async def stop(self) -> None:
        """Close port and socket."""
        await super().stop()
        if self._own:
            await self._own.cleanup()

    async def problems(self) -> dict[str, str]:
        """What keeps this process from being ready, and the others that get requests as well."""
        problems = await super().problems()
        told = await asyncio.gather(*(self._problems_of(number) for number in self._member.others))
        for number, others in zip(self._member.others, told, strict=True):
            problems |= {f"{name} of process {number}": problem for name, problem in others.items()}
        return problems

    async def metrics(self) -> bytes:
        """The metrics of all processes that can be asked."""
        own, numbers = await super().metrics(), self._member.others
        told = await asyncio.gather(*(self._ask(number, "/metrics") for number in numbers), return_exceptions=True)
        expositions = {number: text for number, text in zip(numbers, told, strict=True) if isinstance(text, bytes)}
        return merged({self._member.number: own} | expositions)

    async def _problems_of(self, number: int) -> dict[str, str]:
        try:
            text = await self._ask(number, "/problems")
        except aiohttp.ClientConnectorError:
            # It is being replaced, and listens to nobody yet.
            return {}
        except (aiohttp.ClientError, TimeoutError) as error:
            return {"answer": type(error).__name__}
        problems: dict[str, str] = json.loads(text)
        return {} if problems.keys() == _STARTING else problems

    async def _ask(self, number: int, path: str) -> bytes:
        connector = aiohttp.UnixConnector(self._member.address(number))
        timeout = aiohttp.ClientTimeout(_ASK_SECONDS)
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(f"http://process{path}") as response,
        ):
            return await response.read()


def merged(expositions: Mapping[int, bytes]) -> bytes:
    """The metrics of several processes as one exposition, whose samples have the label ``process``.

    Args:
        expositions: in Prometheus' text format, by the number of the process.
    """
    comments: dict[str, list[str]] = {}
    samples: dict[str, list[str]] = {}
    for number, text in sorted(expositions.items()):
        for line in text.decode().splitlines():
            if found := _COMMENT.match(line):
                known = comments.setdefault(found[1], [])
                if line not in known:
                    known.append(line)
            elif line and not line.startswith("#"):
                samples.setdefault(_family(line, comments), []).append(_labelled(line, number))
    return "".join(
        f"{line}\n" for name, lines in comments.items() for line in (*lines, *samples.get(name, ()))
    ).encode()


def _family(line: str, known: Iterable[str]) -> str:
    """The name under which a sample is commented on."""
    name = _sample(line)[1]
    if name in known:
        return name
    return next((name.removesuffix(suffix) for suffix in _SUFFIXES if name.endswith(suffix)), name)


def _labelled(line: str, number: int) -> str:
    found = _sample(line)
    label = f'process="{number}"'
    rest = line[found.end() :]
    return (
        f"{found[1]}{{{label}{'' if rest.startswith('}') else ','}{rest}"
        if found[2]
        else f"{found[1]}{{{label}}}{rest}"
    )


def _sample(line: str) -> re.Match[str]:
    found = _SAMPLE.match(line)
    if found is None:
        raise ValueError(f"no sample: {line}")
    return found

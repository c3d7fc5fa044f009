"""Parts of a film that are made of pieces of it: the same bytes as out of the whole film, or the whole film is taken."""

import secrets
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from services.fetcher.plan.plan import make_plan
from services.fetcher.plan.spans import with_spans
from services.transcoder.command import Tools
from services.transcoder.encode import Encode
from services.uploader.results import made_part, read_record
from services.uploader.upload import objects_of
from shared.events import Fetched, PartRequested, PartTranscoded
from shared.media.tools import ffmpeg_path
from shared.process import ProcessLimits
from shared.workspace.objects import Objects
from shared.workspace.s3_space import S3Space
from shared.workspace.scratch import Scratch
from shared.workspace.shared_folder import SharedFolder
from shared.workspace.space import WorkSpace
from tests.support.parts import JOB, ORG, DeafBus, MemoryLog, probed
from tests.support.s3 import S3Server, s3_server

SECONDS, RATE = 96, 8


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    with s3_server() as server:
        server.new_bucket("workspace")
        yield server


@pytest.fixture(scope="module", params=["mp4", "mkv"])
def film(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Large for its length, since what a program reads to know its tracks has to be small beside it."""
    file = tmp_path_factory.mktemp("film") / f"film.{request.param}"
    noise = f"testsrc2=size=320x240:rate={RATE}:duration={SECONDS},noise=alls=40:allf=t"
    argv = [ffmpeg_path(), "-v", "error", "-f", "lavfi", "-i", noise, "-f", "lavfi", "-i", f"sine=duration={SECONDS}"]
    argv += ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "15", "-g", str(2 * RATE), "-bf", "2", "-c:a", "aac"]
    subprocess.run([*argv, str(file)], check=True)
    return file


class Counted(Objects):
    """Counts what is read."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.read = 0

    async def get_range(self, key: str, begin: int, end: int) -> bytes:
        self.read += end - begin
        return await super().get_range(key, begin, end)


@pytest.fixture
async def objects(s3: S3Server) -> AsyncIterator[Counted]:
    opened = Counted(s3.location("workspace", secrets.token_hex(4)))
    yield opened
    await opened.close()


def planned(film: Path) -> Fetched:
    found = probed(film)
    plan, _ = make_plan(found.source, found.index, ("144p",), "fast", window=900)
    plan, source = with_spans(plan, found.source, found.places)
    return Fetched(org=ORG, job=JOB, source=source, plan=plan, warnings=())


async def encoded(event: Fetched, part: str, space: WorkSpace) -> dict[str, bytes]:
    """Everything that a part uploads, by path."""
    log: Any = MemoryLog(event)
    bus: Any = DeafBus()
    encode = Encode(bus, log, space, Tools(ffmpeg_path()), ProcessLimits(stall_seconds=60))
    await encode(PartRequested(org=ORG, job=JOB, part=part))
    [said] = log.said
    assert isinstance(said, PartTranscoded)
    pieces = objects_of(await read_record(space, said))
    return {piece.path: await space.read(made_part(said), piece.path) for piece in pieces}


async def folder_with(film: Path, root: Path) -> SharedFolder:
    space = SharedFolder(root.as_uri())
    async with space.arrival(ORG, JOB) as folder:
        (folder / film.name).symlink_to(film)
    return space


async def test_parts_of_pieces_are_those_of_the_whole_film(film: Path, objects: Counted, tmp_path: Path) -> None:
    event, folder = planned(film), await folder_with(film, tmp_path / "space")
    space = S3Space(objects, Scratch(tmp_path / "scratch", 2**40))
    await space.keep_source(ORG, JOB, film)
    parts = [part.name for part in event.plan.video]
    assert len(parts) >= 4
    for part in (parts[0], parts[2]):
        before = objects.read
        assert await encoded(event, part, space) == await encoded(event, part, folder), part
        assert objects.read - before < event.source.bytes / 2
    assert not (tmp_path / "scratch/work" / ORG / JOB / film.name).exists(), "the whole film was taken"


async def test_where_a_piece_is_missing_the_whole_film_is_taken(film: Path, objects: Counted, tmp_path: Path) -> None:
    event, folder = planned(film), await folder_with(film, tmp_path / "space")
    space = S3Space(objects, Scratch(tmp_path / "scratch", 2**40))
    await space.keep_source(ORG, JOB, film)
    whole = tmp_path / "scratch/work" / ORG / JOB / film.name
    for part, third in ((event.plan.video[1], 0), (event.plan.video[2], 2)):
        assert part.span
        begin, end = part.span
        step = (end - begin) // 3
        short = part.model_copy(update={"span": (begin + third * step, begin + (third + 1) * step)})
        video = tuple(short if each.name == part.name else each for each in event.plan.video)
        wrong = event.model_copy(update={"plan": event.plan.model_copy(update={"video": video})})
        assert await encoded(wrong, part.name, space) == await encoded(event, part.name, folder)
        assert whole.stat().st_size == event.source.bytes
        whole.unlink()

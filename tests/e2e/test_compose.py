"""The README's way with Docker, followed as it is written, and again with two of every service.

It builds images and takes minutes, so `make compose` runs it, and not `make test`. Docker has to be there, with the ports free.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.test_readme import block
from tests.support.player import open_page

ROOT = Path(__file__).resolve().parents[2]
TWO = [part for name in ("api", "fetcher", "transcoder", "uploader", "notifier") for part in ("--scale", f"{name}=2")]

pytestmark = [
    pytest.mark.skipif(os.environ.get("COMPOSE") != "1", reason="builds images; make compose runs it"),
    pytest.mark.timeout(1800),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A copy of what is checked in, whose containers and volumes have a name of their own and go afterwards."""
    folder = tmp_path_factory.mktemp("compose") / "millrace"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    compose = folder / "docker-compose.yml"
    compose.write_text(compose.read_text().replace("name: millrace\n", "name: millrace-test\n"))
    yield folder
    subprocess.run(["docker", "compose", "down", "--volumes", "--timeout", "5"], cwd=folder, check=True)


def run(folder: Path, script: str) -> str:
    """What a script prints; it has to succeed."""
    argv = ["bash", "-eu", "-o", "pipefail", "-c", script]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


async def test_it_ends_with_a_video_that_plays(copy: Path, tmp_path: Path) -> None:
    printed = run(copy, block("Docker", "sh", level=3))
    assert '"status": "completed"' in printed
    watch = re.search(r"http://\S+index\.html\S+", printed)
    assert watch
    report = await open_page(watch[0], tmp_path / "page.png")
    assert report["ended"], report
    assert report["duration"] == pytest.approx(20, abs=0.1)


async def test_two_of_every_service(copy: Path) -> None:
    run(copy, "API_PORT=8080-8081 docker compose up --detach --wait " + " ".join(TWO))
    follow_a_job_at_each_api(copy, "folder")


async def test_two_of_every_service_with_a_work_space_in_s3(copy: Path) -> None:
    keys = "access_key=$S3_ACCESS_KEY&secret_key=$S3_SECRET_KEY"
    url = f"s3://millrace-workspace/space?{keys}&region=us-east-1&endpoint=http://s3:9000"
    run(copy, f'. ./.env; printf "WORKSPACE_URL=\'%s\'\\n" "{url}" >> .env')
    run(copy, "API_PORT=8080-8081 docker compose up --detach --wait " + " ".join(TWO))
    for service in ("fetcher", "transcoder", "uploader"):
        used = run(copy, f"docker compose exec --index 2 {service} sh -c 'echo $MILLRACE_WORKSPACE_URL'")
        assert used.startswith("s3://millrace-workspace/"), service
    follow_a_job_at_each_api(copy, "s3")
    left = run(copy, "docker compose exec s3 find /data/millrace-workspace -type f")
    assert not re.search(r"/(source|parts)/", left), left


def follow_a_job_at_each_api(copy: Path, prefix: str) -> None:
    """A job at each of the two, written below a prefix, and followed to its end."""
    names = run(copy, "docker compose ps --services --filter status=running").split()
    assert set(names) >= {"api", "fetcher", "transcoder", "uploader", "notifier", "playback"}
    session = block("Docker", "sh", level=3).partition("# A job, followed to its end.\n")[2]
    for port in (8080, 8081):
        again = session.replace(":8080/", f":{port}/").replace("s3://millrace/clip/", f"s3://millrace/{prefix}-{port}/")
        assert '"status": "completed"' in run(copy, again)

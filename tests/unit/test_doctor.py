"""What the doctor says of a machine, and how it is shown."""

import json
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from services.api.settings import ApiSettings
from shared.media.tools import ToolMissing
from stack.doctor import machine, showing
from stack.doctor.finding import Finding, Level, failed, ok, skipped, warning
from stack.doctor.machine import GB, disk, look_at_machine
from stack.doctor.organization import look_at_organization
from stack.doctor.servers import clock, read_settings
from stack.layout import Layout
from tests.support.ports import free_port_base


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path, free_port_base())


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A program in place of ffmpeg and ffprobe: it answers for its version, and has no encoder but NVENC."""
    program = tmp_path / "ffmpeg"
    program.write_text(
        '#!/bin/sh\ncase "$*" in -version) echo "ffmpeg version 1";; *h264_nvenc*) ;; *) echo "Unknown encoder" >&2; exit 1;; esac\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(machine, "ffmpeg_path", lambda: str(program))
    monkeypatch.setattr(machine, "ffprobe_path", lambda: str(program))
    yield program


def found(layout: Layout) -> dict[str, Finding]:
    return {finding.check: finding for finding in look_at_machine(layout)}


def test_every_encoder_is_tried(layout: Layout, tool: Path) -> None:
    findings = found(layout)
    assert [findings[name].level for name in ("ffmpeg", "ffprobe", "ports")] == [Level.OK] * 3
    for encoder in ("libx264", "aac"):
        assert (findings[f"encoder {encoder}"].level, findings[f"encoder {encoder}"].found) == (
            Level.FAILED,
            "Unknown encoder",
        )
    assert "the GPU encodes" in findings["encoder h264_nvenc"].found


def test_a_missing_tool_is_named_with_what_installs_it(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> str:
        raise ToolMissing("ffmpeg is neither on PATH nor set")

    monkeypatch.setattr(machine, "ffmpeg_path", missing)
    finding = found(layout)["ffmpeg"]
    assert (finding.level, "make .venv" in finding.remedy) == (Level.FAILED, True)


def test_a_port_that_is_taken_is_named(layout: Layout, tool: Path) -> None:
    with socket.create_server(("127.0.0.1", layout.ports["s3"])):
        finding = found(layout)["ports"]
    assert (finding.level, f"{layout.ports['s3']} (s3)" in finding.found) == (Level.FAILED, True)
    assert f"--port-base {layout.port_base + 1000}" in finding.remedy


@pytest.mark.parametrize(("free", "level"), [(0.5, Level.FAILED), (5, Level.WARNING), (50, Level.OK)])
def test_room_on_the_disk(free: float, level: Level, tmp_path: Path) -> None:
    finding = disk(tmp_path, int(free * GB))
    assert (finding.level, bool(finding.remedy)) == (level, level is not Level.OK)


@pytest.mark.parametrize(
    ("offset", "level", "text"),
    [
        (0.5, Level.OK, "agrees"),
        (-60.0, Level.WARNING, "60 s ahead of that of the database"),
        (600.0, Level.FAILED, "600 s behind"),
    ],
)
def test_clocks_that_differ(offset: float, level: Level, text: str) -> None:
    finding = clock("the database", offset)
    assert (finding.level, text in finding.found) == (level, True)


def test_settings_that_are_wrong_are_a_finding() -> None:
    finding = read_settings({"MILLRACE_API_DATABASE_URL": "postgresql://x@127.0.0.1/x", "MILLRACE_API_PROT": "1"})
    assert isinstance(finding, Finding)
    assert (finding.level, "MILLRACE_API_PROT" in finding.found) == (Level.FAILED, True)
    assert not isinstance(finding, ApiSettings)


@pytest.mark.parametrize(
    ("findings", "status", "verdict"),
    [
        ([ok("disk", "much"), warning("clock", "late", "wait")], 0, "Everything works."),
        ([ok("disk", "much"), skipped("bus", "not up")], 0, "All that could be looked at works."),
        ([ok("disk", "much"), failed("bus", "down\x1b[2J", "start it")], 1, "1 of 2 checks failed."),
    ],
)
async def test_the_exit_status_says_whether_something_failed(
    findings: list[Finding],
    status: int,
    verdict: str,
    layout: Layout,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def diagnose(_: Layout) -> AsyncIterator[Finding]:
        for finding in findings:
            yield finding

    monkeypatch.setattr(showing, "diagnose", diagnose)
    assert await showing.show(layout, as_json=False) == status
    said = capsys.readouterr().out
    assert said.endswith(f"{verdict}\n")
    assert "\x1b" not in said
    assert await showing.show(layout, as_json=True) == status
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["check"], line["level"]) for line in lines] == [(one.check, one.level) for one in findings]


def test_a_damaged_file_of_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "millrace").mkdir()
    (tmp_path / "millrace" / "config.json").write_text("{")
    (told,) = look_at_organization()
    assert (told.level, "cannot be read" in told.found) == (Level.SKIPPED, True)

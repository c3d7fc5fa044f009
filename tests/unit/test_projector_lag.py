"""When a log counts as lost: a server of a cluster may lag, the only server of a bus may not."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from services.api.projection import projector as projector_module
from services.api.projection.projector import LogLost, Projector

OFFSET = 10


def projector(ends: Sequence[int], *, replicas: int, monkeypatch: pytest.MonkeyPatch) -> Projector:
    """One that has read up to the offset, on a bus that says one after the other that the stream ends there."""
    monkeypatch.setattr(projector_module, "_LOOK_SECONDS", 0)
    answers = iter(ends)

    async def stream_info(_stream: str) -> Any:
        return SimpleNamespace(
            state=SimpleNamespace(last_seq=next(answers)), config=SimpleNamespace(num_replicas=replicas)
        )

    client: Any = SimpleNamespace(jetstream=lambda **_: SimpleNamespace(stream_info=stream_info))
    connection: Any = None
    apply: Any = None
    made = Projector(client, "JOBS", apply, connection, asyncio.Lock())
    made.offset = OFFSET
    return made


async def test_a_server_that_lags_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lagging = projector([OFFSET - 2, OFFSET - 1, OFFSET + 3], replicas=3, monkeypatch=monkeypatch)
    assert await lagging.check_stream() == OFFSET + 3
    assert not lagging.lost


@pytest.mark.parametrize(("replicas", "looks"), [(1, 1), (3, 5)])
async def test_a_stream_that_stays_shorter_is_lost(replicas: int, looks: int, monkeypatch: pytest.MonkeyPatch) -> None:
    shorter = projector([OFFSET - 1] * looks, replicas=replicas, monkeypatch=monkeypatch)
    with pytest.raises(LogLost):
        await shorter.check_stream()
    assert shorter.lost

"""When a log counts as lost: a server of a cluster may lag, the only server of a bus may not."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from nats.js.api import ClusterInfo, PeerInfo

from services.api.projection import projector as projector_module
from services.api.projection.projector import LogLost, Projector
from shared.bus.errors import BusUnavailable

OFFSET = 10
ALONE = None
LED = ClusterInfo(leader="n1", replicas=[PeerInfo("n2", current=True), PeerInfo("n3", current=False)])
LEADERLESS = ClusterInfo(leader=None, replicas=[PeerInfo("n2", current=True), PeerInfo("n3", current=True)])
CUT_OFF = ClusterInfo(leader="n1", replicas=[PeerInfo("n2", current=False), PeerInfo("n3", current=False)])


def projector(ends: Sequence[int], cluster: ClusterInfo | None, monkeypatch: pytest.MonkeyPatch) -> Projector:
    """One that has read up to the offset, on a bus that says one after the other that the stream ends there."""
    monkeypatch.setattr(projector_module, "_LOOK_SECONDS", 0)
    answers = iter(ends)

    async def stream_info(_stream: str) -> Any:
        return SimpleNamespace(
            state=SimpleNamespace(last_seq=next(answers)),
            config=SimpleNamespace(num_replicas=3 if cluster else 1),
            cluster=cluster,
        )

    client: Any = SimpleNamespace(jetstream=lambda **_: SimpleNamespace(stream_info=stream_info))
    connection: Any = None
    apply: Any = None
    made = Projector(client, "JOBS", apply, connection, asyncio.Lock())
    made.offset = OFFSET
    return made


async def test_a_server_that_lags_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lagging = projector([OFFSET - 2, OFFSET - 1, OFFSET + 3], LED, monkeypatch)
    assert await lagging.check_stream() == OFFSET + 3
    assert not lagging.lost


@pytest.mark.parametrize("cluster", [LEADERLESS, CUT_OFF], ids=["leaderless", "cut off"])
async def test_a_server_that_cannot_be_sure_is_not_believed(
    cluster: ClusterInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    lagging = projector([OFFSET - 1] * 5, cluster, monkeypatch)
    with pytest.raises(BusUnavailable):
        await lagging.check_stream()
    assert not lagging.lost


@pytest.mark.parametrize(("cluster", "looks"), [(ALONE, 1), (LED, 5)], ids=["alone", "led"])
async def test_a_stream_that_stays_shorter_is_lost(
    cluster: ClusterInfo | None, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = projector([OFFSET - 1] * looks, cluster, monkeypatch)
    with pytest.raises(LogLost):
        await shorter.check_stream()
    assert shorter.lost

"""What the chart's scaler reads on a running stack while a job runs."""

import asyncio

from stack.client import Client
from tests.support.chart import of_kind, render, values_of
from tests.support.jobs import short_clip
from tests.support.observe import eventually
from tests.support.scaler import lag
from tests.support.stack import RunningStack


async def test_there_is_need_while_a_job_runs_and_none_before_and_after(stack: RunningStack) -> None:
    port = stack.layout.ports["nats-monitor"]
    scaled = of_kind(render(values_of("s3")), "ScaledObject")
    triggers = {trigger["name"]: trigger for each in scaled.values() for trigger in each["spec"]["triggers"]}

    def lags() -> dict[str, int]:
        return {name: lag(trigger, port) for name, trigger in triggers.items()}

    async def idle() -> bool:
        return not any((await asyncio.to_thread(lags)).values())

    await eventually(idle, "nothing to do before")
    async with Client(stack.env) as client:
        await client.upload(short_clip(), "scaler/in.mp4")
        body = {"input_path": client.location("scaler/in.mp4"), "output_path": client.location("scaler/out/")}
        job = (await client.post_job({**body, "resolutions": ["144p"]}))["id"]
        needed: set[str] = set()

        async def ended() -> bool:
            needed.update(name for name, count in (await asyncio.to_thread(lags)).items() if count)
            return str((await client.job(job))["status"]).lower() == "completed"

        await eventually(ended, "the job is completed", every=0.01)
    assert "transcoder" in needed
    await eventually(idle, "nothing to do afterwards")

"""What KEDA makes of a trigger of the chart: the same question to NATS' monitoring port, and the same sum.

After ``pkg/scalers/nats_jetstream_scaler.go`` of KEDA 2.20 for a server alone (``getNATSJetStreamMonitoringURL``,
``getMaxMsgLag``), and for the number of pods after the horizontal pod autoscaler, whose target is an average per pod.
"""

import json
from math import ceil
from typing import Any
from urllib.parse import quote
from urllib.request import urlopen

from tests.support.chart import Object


class ConsumerMissing(Exception):
    """KEDA reports an error and leaves the number of pods to the fallback."""


def lag(trigger: Object, port: int) -> int:
    """What a trigger counts: messages that wait for the consumer, and those that were delivered and are not settled yet.

    Args:
        trigger: of a ScaledObject. port: of NATS' monitoring on this machine, in place of the endpoint that the trigger names.

    Raises:
        ConsumerMissing: there is no such consumer.
    """
    metadata = trigger["metadata"]
    account, stream, consumer = (metadata[name] for name in ("account", "stream", "consumer"))
    url = f"http://127.0.0.1:{port}/jsz?acc={quote(account)}&consumers=true&config=true"
    with urlopen(url, timeout=10) as response:
        answer: dict[str, Any] = json.load(response)
    found = [
        each
        for details in answer.get("account_details", ())
        if details["name"] == account
        for streams in details.get("stream_detail", ())
        if streams["name"] == stream
        for each in streams.get("consumer_detail", ())
        if each["name"] == consumer
    ]
    if not found:
        raise ConsumerMissing(f"consumer {consumer} not found in stream {stream}")
    return int(found[0]["num_pending"] + found[0]["num_ack_pending"])


def pods(scaled: Object, lags: dict[str, int]) -> int:
    """How many pods a ScaledObject wants, with the lag of each of its triggers by name: the highest demand, within its bounds."""
    spec = scaled["spec"]
    wanted = [
        ceil(lags[trigger["name"]] / int(trigger["metadata"]["lagThreshold"]))
        for trigger in spec["triggers"]
        if lags[trigger["name"]] > int(trigger["metadata"]["activationLagThreshold"])
    ]
    return int(min(max([spec["minReplicaCount"], *wanted]), spec["maxReplicaCount"]))

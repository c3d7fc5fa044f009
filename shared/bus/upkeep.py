"""What Millrace owns of a stream or consumer that is there already, and what it leaves to the operator.

A limit that an operator has set on the server (``max_bytes``, ``max_msgs``, ``discard``, compression, placement …) stays as
it is however often Millrace starts. What Millrace relies on is put right each time.
"""

from nats.js import api

AGE_KEY = "millrace-max-age"
"""Where a stream remembers which ``max_age``, in seconds, was last set on it by a setting of ours."""

_OWNED = (
    "description",
    "subjects",
    "retention",
    "storage",
    "num_replicas",
    "allow_direct",
    "republish",
    "allow_msg_schedules",
    "allow_atomic",
)
# Of a consumer the description is the operator's, since we give none. No backoff: it would replace ack_wait.
_OWNED_OF_CONSUMER = ("deliver_policy", "ack_policy", "ack_wait", "max_deliver", "backoff", "filter_subjects")


def kept_stream(current: api.StreamConfig, wanted: api.StreamConfig) -> api.StreamConfig:
    """A stream's configuration as it shall become.

    Args:
        current: what the server has. wanted: what we would create.
    """
    # What is not wanted is not mentioned, and the server has a word for that: False.
    owned = {
        name: value
        for name in _OWNED
        if (value := getattr(wanted, name)) != getattr(current, name) and (value or getattr(current, name))
    }
    before, ours = current.metadata or {}, wanted.metadata or {}
    if before | ours != before:
        owned["metadata"] = before | ours
    if wanted.max_msgs_per_subject != current.max_msgs_per_subject and wanted.max_msgs_per_subject > 0:
        owned["max_msgs_per_subject"] = wanted.max_msgs_per_subject
    if _age_is_ours(current, wanted):
        owned["max_age"] = wanted.max_age
    return current.evolve(**owned) if owned else current


def kept_consumer(current: api.ConsumerConfig, wanted: api.ConsumerConfig) -> api.ConsumerConfig:
    """A consumer's configuration as it shall become. See :func:`kept_stream`."""
    owned = {
        name: value
        for name in _OWNED_OF_CONSUMER
        if (value := getattr(wanted, name)) != getattr(current, name) and (value or getattr(current, name))
    }
    if current.filter_subject:
        # The older spelling of a single filter, which the server does not take beside the newer one.
        owned |= {"filter_subject": None, "filter_subjects": wanted.filter_subjects}
    return current.evolve(**owned) if owned else current


def _age_is_ours(current: api.StreamConfig, wanted: api.StreamConfig) -> bool:
    """Whether the setting has changed since it was last applied. Until then the stream's own age is the operator's."""
    setting = (wanted.metadata or {}).get(AGE_KEY)
    applied = (current.metadata or {}).get(AGE_KEY)
    if setting is None or setting == applied:
        return False
    # A stream of a version before this setting: it has an age only if somebody gave it one.
    return applied is not None or not current.max_age

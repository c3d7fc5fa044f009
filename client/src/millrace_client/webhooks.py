"""Webhooks and their deliveries. Every function is a flow; :mod:`millrace_client` has them as methods of ``client.webhooks``."""

from collections.abc import Iterable

from millrace_client import json_text
from millrace_client.core import Core, Repeat, job_id, nothing
from millrace_client.listing import each
from millrace_client.models import Delivery, DeliveryDetail, Job, Redelivery, RotatedWebhook, Webhook
from millrace_client.steps import Feed, Flow

HOOKS = "webhooks"


def create(core: Core, url: str, *, secret_token: str | None = None) -> Flow[Webhook]:
    """Have an address told of every change of a job's status. Not sent again where it may have been done: list them then.

    Args:
        secret_token: what requests are signed with; made by the server if left out.

    Raises:
        InvalidRequest: ``fields`` says what is wrong where, or there are too many.
    """
    request = core.request("POST", core.address(HOOKS), _members(url, secret_token))
    return (yield from core.call(request, Webhook.from_json, repeat=Repeat.NEVER))


def list_all(core: Core) -> Feed[Webhook]:
    """All webhooks, oldest first."""
    yield from each(core, Webhook, (HOOKS,), lambda hook: hook.id)


def get(core: Core, hook: Webhook | str) -> Flow[Webhook]:
    """A webhook.

    Raises:
        NotFound: there is none.
    """
    return (yield from core.call(core.request("GET", core.address(HOOKS, _id(hook))), Webhook.from_json))


def replace(core: Core, hook: Webhook | str, url: str, *, secret_token: str | None = None) -> Flow[Webhook]:
    """Give a webhook another address, or another secret. One that was disabled is enabled again.

    Args:
        secret_token: stays as it is if left out.

    Raises:
        NotFound: there is none. InvalidRequest: ``fields`` says what is wrong where.
    """
    request = core.request("PUT", core.address(HOOKS, _id(hook)), _members(url, secret_token))
    return (yield from core.call(request, Webhook.from_json))


def delete(core: Core, hook: Webhook | str) -> Flow[None]:
    """Remove a webhook; nothing more is sent to it.

    Raises:
        NotFound: there is none.
    """
    request = core.request("DELETE", core.address(HOOKS, _id(hook)))
    yield from core.call(request, nothing, settled=(404,))


def deliveries(
    core: Core, hook: Webhook | str, *, job: Job | str | None = None, outcome: str | Iterable[str] = ()
) -> Feed[Delivery]:
    """All attempts to tell a webhook that match, newest first.

    Args:
        job: those of one alone. outcome: one or several, any of which will do, such as ``failed`` and ``gave_up``.

    Raises:
        NotFound: there is no such webhook. InvalidRequest: ``fields`` names the filter that is wrong.
    """
    query = [("outcome", one) for one in ([outcome] if isinstance(outcome, str) else outcome)]
    if job is not None:
        query.append(("job", job_id(job)))
    yield from each(core, Delivery, (HOOKS, _id(hook), "deliveries"), lambda delivery: delivery.id, query)


def delivery(core: Core, hook: Webhook | str, delivery: Delivery | int) -> Flow[DeliveryDetail]:
    """An attempt to tell a webhook, with what was sent and what was answered.

    Raises:
        NotFound: there is none.
    """
    return (yield from core.call(core.request("GET", _delivery(core, hook, delivery)), DeliveryDetail.from_json))


def redeliver(core: Core, hook: Webhook | str, delivery: Delivery | int) -> Flow[Redelivery]:
    """Have a delivery sent once more. Not asked for again where that may have been done.

    Raises:
        NotFound: there is none.
    """
    request = core.request("POST", _delivery(core, hook, delivery, "redeliver"))
    return (yield from core.call(request, Redelivery.from_json, repeat=Repeat.NEVER))


def rotate(
    core: Core, hook: Webhook | str, *, secret_token: str | None = None, overlap_seconds: int | None = None
) -> Flow[RotatedWebhook]:
    """Give a webhook another secret. Not asked for again where that may have been done: see :func:`get` then.

    Args:
        secret_token: made by the server if left out. overlap_seconds: how long the secret of before signs as well, 0 for one that
            has leaked; if left out, as the server has it.

    Raises:
        NotFound: there is no such webhook. InvalidRequest: ``fields`` says what is wrong where.
    """
    given = {"secret_token": secret_token, "overlap_seconds": overlap_seconds}
    request = core.request("POST", core.address(HOOKS, _id(hook), "rotate"), json_text.texts(given))
    return (yield from core.call(request, RotatedWebhook.from_json, repeat=Repeat.NEVER))


def test(core: Core, hook: Webhook | str) -> Flow[Redelivery]:
    """Have a sample job told to a webhook, once, as ``webhook.test``. Not asked for again where that may have been done.

    Raises:
        NotFound: there is no such webhook.
    """
    request = core.request("POST", core.address(HOOKS, _id(hook), "test"))
    return (yield from core.call(request, Redelivery.from_json, repeat=Repeat.NEVER))


def _id(hook: Webhook | str) -> str:
    return hook.id if isinstance(hook, Webhook) else hook


def _delivery(core: Core, hook: Webhook | str, delivery: Delivery | int, *rest: str) -> str:
    number = str(delivery.id if isinstance(delivery, Delivery) else delivery)
    return core.address(HOOKS, _id(hook), "deliveries", number, *rest)


def _members(url: str, secret_token: str | None) -> dict[str, str]:
    return json_text.texts({"url": url, "secret_token": secret_token})

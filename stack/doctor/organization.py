"""What is looked at by the REST API: whether it answers, and an organization's storage and webhooks."""

import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

from millrace_client import Millrace, MillraceError, Webhook
from millrace_client.backoff import Retries
from millrace_client.cli.running import connect
from millrace_client.errors import Conflict, Forbidden, SettingsError
from stack.doctor.finding import Finding, failed, ok, skipped, warning

_SECONDS = 5.0
_PORTS = {"http": 80, "https": 443}


def look_at_organization() -> Iterator[Finding]:
    """The api, storage and webhooks, with the settings of the command line."""
    try:
        millrace = connect(Retries(attempts=1))
    except SettingsError as error:
        yield skipped("api", str(error), "Log in: millrace login")
        return
    with millrace:
        try:
            organization = millrace.organization()
        except MillraceError as error:
            yield failed("api", str(error), "Start it: ./millrace up. Or log in to another one: millrace login")
            return
        yield ok("api", f"{millrace.core.settings.api_url} answers for {organization.name} ({organization.uuid})")
        yield _storage(millrace)
        yield from _webhooks(millrace)


def _storage(millrace: Millrace) -> Finding:
    try:
        trial = millrace.storage.test()
    except Conflict:
        return warning(
            "storage", "none is set, so that every job needs keys of its own", "Set it: millrace storage set"
        )
    except Forbidden:
        return skipped("storage", "only an admin of the organization may try it")
    except MillraceError as error:
        return failed("storage", str(error), "See the log of the api.")
    for step in trial.steps:
        if not step.ok:
            return failed("storage", f"cannot {step.name}: {step.message}", "Set it anew: millrace storage set")
    return ok("storage", "an object was written, read and removed")


def _webhooks(millrace: Millrace) -> Iterator[Finding]:
    try:
        hooks = list(millrace.webhooks.list())
        for hook in hooks:
            yield _webhook(millrace, hook)
    except MillraceError as error:
        yield failed("webhooks", str(error), "See the log of the api.")
        return
    if not hooks:
        yield skipped("webhooks", "none is registered")


def _webhook(millrace: Millrace, hook: Webhook) -> Finding:
    """Whether somebody listens at the address, and what became of the newest delivery."""
    parts = urlsplit(hook.url)
    where = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    try:
        socket.create_connection(where, timeout=_SECONDS).close()
    except OSError as error:
        return failed(
            f"webhook {hook.id}",
            f"nobody answers at {where[0]} port {where[1]}: {error}",
            f"Start the receiver; then try it: millrace webhooks test {hook.id}",
        )
    newest = next(iter(millrace.webhooks.deliveries(hook)), None)
    if newest and newest.error:
        return warning(
            f"webhook {hook.id}",
            f"its newest delivery, {newest.id}, failed: {newest.error}",
            f"See what was answered: millrace webhooks delivery {hook.id} {newest.id}",
        )
    return ok(f"webhook {hook.id}", f"{where[0]} answers")

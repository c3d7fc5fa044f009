"""What an error of the bus means for the work that met it.

The client spells "not now" in a dozen ways: time-outs, 503 of the server, no responders, a closed connection. Whoever uses
the bus translates at the edge, by :func:`bus_calls`, so that above it a ``TimeoutError`` is never the bus's. The bus being
away is no failure of work, which waits for it as long as it takes; a refusal that repeating cannot change is one at once.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.errors import (
    BadHeaderError,
    BadSubjectError,
    BadTimeoutError,
    InvalidCallbackTypeError,
    MaxPayloadError,
    MsgAlreadyAckdError,
    NotJSMessageError,
)
from nats.errors import Error as NatsError
from nats.js.errors import BadRequestError, BucketNotFoundError, KeyValueError, NotFoundError

from shared.errors import PermanentError

_MESSAGE_TOO_LARGE = 10054
# A stream or consumer that is not there: the api is about to provision it, or an operator to restore it.
_NOT_THERE_YET = (10059, 10014)
# Mistakes of ours: the bus would answer the same at any time.
_OURS = (
    BadRequestError,
    KeyValueError,
    BadSubjectError,
    BadHeaderError,
    BadTimeoutError,
    InvalidCallbackTypeError,
    NotJSMessageError,
    MsgAlreadyAckdError,
)


class BusUnavailable(NatsError):
    """The bus cannot do it now, and may be able to later: it is out of reach, without a leader, or out of space."""


@asynccontextmanager
async def bus_calls(seconds: float | None = None) -> AsyncIterator[None]:
    """A block (or, as a decorator, a function) in which everything that is waited for is the bus.

    Args:
        seconds: how long it may take.

    Raises:
        BusUnavailable: the bus is in the way, however the client has put it.
        PermanentError: ``event_too_large``.
    """
    try:
        async with asyncio.timeout(seconds):
            yield
    except (NatsError, TimeoutError, OSError) as error:
        meaning = meaning_of(error)
        if meaning is error:
            raise
        raise meaning from error


def meaning_of(error: Exception) -> Exception:
    """What an error means that comes from the bus for certain: as :func:`translated`, and any time-out is the bus's."""
    if isinstance(error, TimeoutError | OSError) and not isinstance(error, NatsError):
        return BusUnavailable(repr(error))
    return translated(error)


def translated(error: Exception) -> Exception:
    """What an error of the client means: :class:`BusUnavailable`, a ``PermanentError``, or itself if it is neither."""
    if not isinstance(error, NatsError) or isinstance(error, BusUnavailable):
        return error
    if isinstance(error, MaxPayloadError) or _code(error) == _MESSAGE_TOO_LARGE:
        return PermanentError("event_too_large", str(error))
    return error if _is_ours(error) else BusUnavailable(repr(error))


def _is_ours(error: NatsError) -> bool:
    if isinstance(error, NotFoundError) and not isinstance(error, KeyValueError):
        return not isinstance(error, BucketNotFoundError) and _code(error) not in _NOT_THERE_YET
    return isinstance(error, _OURS)


def _code(error: NatsError) -> int | None:
    # Those of buckets are API errors that lack the members of one.
    return getattr(error, "err_code", None)

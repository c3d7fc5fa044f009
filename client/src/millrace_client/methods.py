"""Flows as methods: with the parameters and the documentation of the flow, done by the transport of the client they belong to."""

import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from millrace_client.asynchronous import AsyncTransport
from millrace_client.blocking import BlockingTransport
from millrace_client.core import Core
from millrace_client.steps import Feed, Flow

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Callable[..., Any])


class Blocking(Protocol):
    """What has blocking methods."""

    core: Core
    transport: BlockingTransport


class Asynchronous(Protocol):
    """What has asynchronous methods."""

    core: Core
    transport: AsyncTransport


class Call(Generic[P, T]):
    """A blocking method with the result of a flow."""

    def __init__(self, flow: Callable[Concatenate[Core, P], Flow[T]]) -> None:
        self._flow = flow

    def __get__(self, owner: Blocking, kind: type) -> Callable[P, T]:
        flow = self._flow

        def method(*args: P.args, **kwargs: P.kwargs) -> T:
            return owner.transport.run(flow(owner.core, *args, **kwargs))

        return _described(method, flow)


class Items(Generic[P, T]):
    """A blocking method with the items of a feed."""

    def __init__(self, feed: Callable[Concatenate[Core, P], Feed[T]]) -> None:
        self._feed = feed

    def __get__(self, owner: Blocking, kind: type) -> Callable[P, Iterator[T]]:
        feed = self._feed

        def method(*args: P.args, **kwargs: P.kwargs) -> Iterator[T]:
            return owner.transport.show(feed(owner.core, *args, **kwargs))

        return _described(method, feed)


class AsyncCall(Generic[P, T]):
    """A method to await, with the result of a flow."""

    def __init__(self, flow: Callable[Concatenate[Core, P], Flow[T]]) -> None:
        self._flow = flow

    def __get__(self, owner: Asynchronous, kind: type) -> Callable[P, Coroutine[Any, Any, T]]:
        flow = self._flow

        async def method(*args: P.args, **kwargs: P.kwargs) -> T:
            return await owner.transport.run(flow(owner.core, *args, **kwargs))

        return _described(method, flow)


class AsyncItems(Generic[P, T]):
    """A method with the items of a feed, for ``async for``."""

    def __init__(self, feed: Callable[Concatenate[Core, P], Feed[T]]) -> None:
        self._feed = feed

    def __get__(self, owner: Asynchronous, kind: type) -> Callable[P, AsyncIterator[T]]:
        feed = self._feed

        def method(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[T]:
            return owner.transport.show(feed(owner.core, *args, **kwargs))

        return _described(method, feed)


def _described(method: M, flow: Callable[..., Any]) -> M:
    """With what ``help`` shows: the flow's documentation and its parameters after the first."""
    method.__name__, method.__doc__ = flow.__name__, flow.__doc__
    given = inspect.signature(flow)
    method.__signature__ = given.replace(parameters=list(given.parameters.values())[1:])  # type: ignore[attr-defined]
    return method

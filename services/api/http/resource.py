"""What the handlers of all resources have in common."""

from collections.abc import Sequence

from aiohttp import web

from services.api.contract.listing import Window, page_json
from services.api.http.authorized import Runtime, query_of
from services.api.http.links import Links
from shared.addresses import AddressPolicy


class ResourceHandlers:
    """What they need, and how they answer with a page of a list.

    Args:
        policy: which addresses of others a request may name.
    """

    def __init__(self, runtime: Runtime, links: Links, *, policy: AddressPolicy) -> None:
        self._runtime = runtime
        self._links = links
        self._policy = policy

    def _page(self, request: web.Request, window: Window, items: Sequence[str], count: int) -> str:
        """A page of the list that is asked for, as JSON text. ``items``: JSON text each; ``count``: how many there are in all.

        Raises:
            NotFound: the page lies beyond the end.
        """
        base = self._links.address(request)
        return page_json(items, count=count, window=window, parameters=query_of(request), base=base)

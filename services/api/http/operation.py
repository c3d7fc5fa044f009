"""An operation of the API as the OpenAPI document describes it."""

from dataclasses import dataclass, field

from pydantic import BaseModel

from services.api.contract.roles import Needed


@dataclass(frozen=True)
class Operation:
    """An operation of the API: what its part of the document is made from.

    Attributes:
        role: who may call it; None for anybody, with or without a token.
        answer: the model of the body of success, a media type with no model, or None for an empty body.
        other: a media type in which success is answered beside JSON, where it is asked for.
        errors: statuses beside 401, 403, 404, 429, 500 and 503, which all may answer.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    status: int
    answer: type[BaseModel] | str | None
    request: type[BaseModel] | None = None
    query: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    errors: tuple[int, ...] = ()
    description: str = ""
    other: str | None = None
    role: Needed | None = field(kw_only=True)

    @property
    def public(self) -> bool:
        """Whether it needs neither a token nor a browser session."""
        return self.role is None

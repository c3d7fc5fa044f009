"""An operation of the API as the OpenAPI document describes it."""

from dataclasses import dataclass

from pydantic import BaseModel


@dataclass(frozen=True)
class Operation:
    """An operation of the API: what its part of the document is made from.

    Attributes:
        answer: the model of the body of success, a media type with no model, or None for an empty body.
        other: a media type in which success is answered beside JSON, where it is asked for.
        errors: statuses beside 401, 404, 429, 500 and 503, which all may answer.
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
    public: bool = False
    other: str | None = None

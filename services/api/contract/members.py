"""What the models of all requests are made of. Pure."""

from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema
from pydantic_core import PydanticCustomError


def not_null(value: Any) -> Any:
    """A value, or the message that null is none."""
    if value is None:
        raise PydanticCustomError("null", "This field may not be null.")
    return value


def each_once(values: list[str]) -> list[str]:
    """A list, or the message that something is in it twice."""
    twice = sorted({value for value in values if values.count(value) > 1})
    if twice:
        raise PydanticCustomError(
            "twice", "{names} is given more than once.", {"names": ", ".join(f'"{name}"' for name in twice)}
        )
    return values


def optional(description: str, *, unique: bool = False, **more: Any) -> Any:
    """The field of an :data:`Omittable` member, whose schema has no default. ``unique``: of a list without repetitions."""

    def edit(schema: dict[str, Any]) -> None:
        schema.pop("default", None)
        if unique:
            schema["uniqueItems"] = True

    return Field(None, description=description, json_schema_extra=edit, **more)


class Request(BaseModel):
    """What all requests have: an unknown member is an error, and values of another type are not converted."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", hide_input_in_errors=True)

    @classmethod
    def across_fields(cls, values: dict[str, Any]) -> dict[str, list[str]]:
        """What is wrong with the members taken together; looked at even where single members are wrong."""
        return {}


T = TypeVar("T")
Omittable = Annotated[T | SkipJsonSchema[None], BeforeValidator(not_null)]
"""A member that may be left out, and not be null."""

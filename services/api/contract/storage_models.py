"""What the api answers of an organization's storage, as models for the OpenAPI document."""

from typing import Literal

from pydantic import Field

from services.api.contract.responses import Response


class Storage(Response):
    """The storage whose credentials stand in where a job has none, without its secret key."""

    configured: bool
    location: str | None = Field(
        description="Bucket and prefix; null where none is set, as all below", examples=["s3://bucket/prefix/"]
    )
    region: str | None = Field(examples=["eu-west-1"])
    endpoint: str | None = Field(description="Null for AWS", examples=["https://s3.example.com"])
    access_key: str | None = Field(examples=["AKIAIOSFODNN7EXAMPLE"])


class StorageStep(Response):
    """One thing that was tried."""

    name: Literal["write", "read", "delete"]
    ok: bool
    message: str | None = Field(description="What went wrong, and what to do", examples=[None])


class StorageTest(Response):
    """What became of a trial."""

    ok: bool = Field(description="Whether all steps went well")
    steps: list[StorageStep] = Field(description="Those that were tried, in this order")

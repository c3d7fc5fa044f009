"""What clients send. The same models validate the bodies and make the OpenAPI document."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from services.api.contract.addresses import check_input, check_input_path, check_output, check_webhook
from services.api.contract.encryption import DrmOptions, EncryptionName, contradictions, encryption_of
from services.api.contract.members import Omittable, Request, each_once, not_null, optional
from shared.addresses import AddressPolicy
from shared.events import Priority
from shared.locations import MOST_CHARACTERS
from shared.media.profile import AUDIO_ONLY, ProfileName, Wanted

MAX_METADATA_BYTES = 10 * 1024
MOST_OVERLAP_SECONDS = 30 * 86_400


def _audio_alone(values: list[str]) -> list[str]:
    if AUDIO_ONLY in values and len(values) > 1:
        message = (
            '"{name}" asks for the sound without a picture, so it stands alone. Send another job for the resolutions.'
        )
        raise PydanticCustomError("not_alone", message, {"name": AUDIO_ONLY})
    return values


def _metadata(value: Any, info: ValidationInfo) -> Any:
    if not isinstance(value, dict):
        raise PydanticCustomError("dict_type", "")
    size = len(info.context["texts"]["client_metadata"].encode()) if info.context else 0
    if size > MAX_METADATA_BYTES:
        raise PydanticCustomError(
            "too_large", "Must be at most {most} bytes, this is {size}.", {"most": MAX_METADATA_BYTES, "size": size}
        )
    return value


def _address(check: Any) -> AfterValidator:
    """A validator that refuses addresses where the settings do."""

    def validate(value: str, info: ValidationInfo) -> str:
        try:
            check(value, policy=info.context["policy"] if info.context else AddressPolicy())
        except ValueError as error:
            raise PydanticCustomError("address", "{reason}", {"reason": str(error)}) from None
        return value

    return AfterValidator(validate)


InputUrl = Annotated[str, Field(min_length=1), _address(check_input)]
InputPath = Annotated[str, Field(min_length=1), _address(check_input_path)]
OutputPath = Annotated[str, Field(min_length=1), _address(check_output)]
Metadata = Annotated[
    Any,
    AfterValidator(_metadata),
    WithJsonSchema({"type": "object", "additionalProperties": True, "title": "Client Metadata"}),
]
Resolutions = Annotated[list[Wanted], Field(min_length=1), AfterValidator(each_once), AfterValidator(_audio_alone)]


def _one_input(values: dict[str, Any]) -> dict[str, list[str]]:
    if "input_url" in values and "input_path" in values:
        message = ["Give either input_url or input_path, not both."]
        return {"input_url": message, "input_path": message}
    return {}


_EXAMPLE: dict[str, Any] = {
    "input_url": "https://example.com/input-video.mp4",
    "output_path": "s3://example-bucket/path/?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1",
    "resolutions": ["240p", "480p"],
}


class JobRequest(Request):
    """A video to transcode. Exactly one of `input_url` and `input_path` is given."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [{"required": ["input_url"]}, {"required": ["input_path"]}],
            "examples": [
                _EXAMPLE,
                _EXAMPLE | {"early_playback": True},
                _EXAMPLE | {"enable_drm": True},
                _EXAMPLE | {"enable_drm": True, "drm": {"systems": ["widevine", "playready"], "keys": "separate"}},
                _EXAMPLE | {"encryption": "aes-128", "drm": {"key_uri": "https://example.com/keys/{content_id}"}},
            ],
        }
    )

    input_url: Omittable[InputUrl] = optional(
        "Where the video is: `http(s)://…`, or an `s3://` location as in `input_path`.",
        examples=["https://example.com/input-video.mp4"],
    )
    input_path: Omittable[InputPath] = optional(
        "Where the video is in a bucket: `s3://bucket/key?access_key=…&secret_key=…&region=…`, "
        "with `endpoint=https://…` for another service than AWS (and `path_style`, as in `output_path`).",
        examples=["s3://example-bucket/video.mp4?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1"],
    )
    output_path: OutputPath = Field(
        description="The prefix to write to: `s3://bucket/prefix/?access_key=…&secret_key=…&region=…`; `endpoint=https://…` "
        "selects another S3 service, by its own address without the bucket. `path_style=false` says that the service takes "
        "the bucket in the host name only; that is also found out where the service says so. Credentials may be left out where "
        "the organization has storage configured. "
        "Two unfinished jobs never share one.",
        examples=["s3://example-bucket/path/?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1"],
    )
    resolutions: Resolutions = Field(
        description="Renditions to make, each named once. What is above the source's own size is dropped with a warning. "
        '`["audio"]`, which stands alone, makes a stream of the sound without a picture, out of a sound file or a video.',
        examples=[["240p", "480p"]],
        json_schema_extra={"uniqueItems": True},
    )
    client_metadata: Annotated[Metadata, BeforeValidator(not_null)] = optional(
        f"Any JSON object up to {MAX_METADATA_BYTES:,} bytes; returned exactly as written.",
        examples=[{"client_id": "12345"}],
    )
    enable_drm: bool = Field(
        False, description="Encrypt the output for Widevine and FairPlay: the same as `encryption` with `cbcs`."
    )
    encryption: Omittable[EncryptionName] = optional(
        "How to encrypt the output: `cbcs`, as `enable_drm` has it; or `aes-128`, whole segments for HLS players without DRM, "
        "in which case there is no DASH manifest. `none` when both are left out.",
        examples=["cbcs"],
    )
    drm: Omittable[DrmOptions] = optional(
        "How an encrypted output gets its keys.", examples=[{"systems": ["widevine", "fairplay", "playready"]}]
    )
    early_playback: bool = Field(
        False,
        description="Have the output playable while it is made: HLS playlists of type EVENT grow with it, from the first "
        "segments that all renditions have. The multivariant playlist, `video.m3u8` at `output_path`, is there from the webhook "
        "`transcoding_job.playable` on, and stays where it is.",
    )
    priority: Priority = Field("normal", description="Order among the waiting jobs of the organization.")
    profile: ProfileName = Field("balanced", description="Trade of encoding time against size and quality.")

    @property
    def source(self) -> str:
        """The address of the input, whichever member it came in."""
        return self.input_url or self.input_path or ""

    @property
    def encrypted(self) -> EncryptionName:
        """How the output shall be encrypted."""
        return encryption_of({"encryption": self.encryption, "enable_drm": self.enable_drm})

    @property
    def source_field(self) -> str:
        """Name of the member that the input came in."""
        return "input_url" if self.input_url is not None else "input_path"

    @classmethod
    def across_fields(cls, values: dict[str, Any]) -> dict[str, list[str]]:
        """One input, not none and not two; and one way to encrypt."""
        problems = contradictions(values)
        if "input_url" not in values and "input_path" not in values:
            return problems | {"input_url": ["This field is required, unless input_path is given."]}
        return problems | _one_input(values)


MOST_IN_A_BATCH = 100


class BatchRequest(Request):
    """Several videos to transcode."""

    jobs: list[Any] = Field(
        min_length=1,
        max_length=MOST_IN_A_BATCH,
        description="As they are created one by one; no two of them write to the same `output_path`.",
        json_schema_extra={"items": {"$ref": "#/components/schemas/JobRequest"}},
    )


class CancelRequest(Request):
    """Jobs to cancel."""

    ids: Annotated[list[str], AfterValidator(each_once)] = Field(
        min_length=1, max_length=MOST_IN_A_BATCH, description="Their ids", examples=[["5KQfnXCg8Qh"]]
    )


class RetryRequest(Request):
    """What a retry needs to know or does otherwise; what is left out is as it was in the job that it runs again."""

    input_url: Omittable[InputUrl] = optional(
        "Where the video is, the same place as before, under a signature that is good now. Required if the job's own address "
        "had user, password or a query: what was in them is not kept longer than the job runs. An `s3://` location only needs "
        "to come again if it had credentials.",
        examples=["https://example.com/input-video.mp4?signature=…"],
    )
    input_path: Omittable[InputPath] = optional(
        "The same for a place in a bucket.",
        examples=["s3://example-bucket/video.mp4?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1"],
    )
    output_path: Omittable[OutputPath] = optional(
        "The prefix to write to, the same place as before. Required if the job's own `output_path` had credentials.",
        examples=["s3://example-bucket/path/?access_key=<access_key>&secret_key=<secret_key>&region=us-east-1"],
    )
    resolutions: Omittable[Resolutions] = optional("Renditions to make.", unique=True, examples=[["240p", "480p"]])
    client_metadata: Annotated[Metadata, BeforeValidator(not_null)] = optional(
        f"Any JSON object up to {MAX_METADATA_BYTES:,} bytes.", examples=[{"client_id": "12345"}]
    )
    enable_drm: Omittable[bool] = optional("Encrypt the output for Widevine and FairPlay.")
    encryption: Omittable[EncryptionName] = optional("How to encrypt the output.", examples=["cbcs"])
    drm: Omittable[DrmOptions] = optional(
        "How an encrypted output gets its keys; all of it anew, but for `content_id`, which stays that of the job.",
        examples=[{"systems": ["widevine", "fairplay", "playready"]}],
    )
    early_playback: Omittable[bool] = optional("Have the output playable while it is made.")
    priority: Omittable[Priority] = optional("Order among the waiting jobs of the organization.")
    profile: Omittable[ProfileName] = optional("Trade of encoding time against size and quality.")

    @classmethod
    def across_fields(cls, values: dict[str, Any]) -> dict[str, list[str]]:
        """Not two inputs."""
        return _one_input(values)


def _printable(value: str) -> str:
    if not value.isprintable():
        raise PydanticCustomError("printable", "Use printable characters.")
    return value


TokenName = Annotated[str, Field(max_length=100), AfterValidator(_printable)]


class LoginRequest(Request):
    """Who wants a token, and for which organization."""

    username: str = Field(min_length=1, max_length=150, examples=["admin"])
    password: str = Field(min_length=1, max_length=1024, json_schema_extra={"format": "password"})
    organization_id: str = Field(
        min_length=1, max_length=100, description="The organization's code.", examples=["a1b2c3"]
    )
    token_name: TokenName = Field("", description="A name for the token, by which it is known in the list of tokens.")


class TokenRequest(Request):
    """What can be changed of a token."""

    name: TokenName = Field(description="A name by which people know it.", examples=["build server"])


class BusUserRequest(Request):
    """A user of the bus to be made."""

    name: TokenName = Field("", description="A name by which people know it.", examples=["dashboard"])


def _header_text(value: str) -> str:
    if not (value.isascii() and value.isprintable()) or value != value.strip():
        raise PydanticCustomError("header", "Use printable ASCII characters, without spaces at the ends.")
    return value


SecretToken = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_header_text)]


class WebhookRequest(Request):
    """An address that is told of every change of a job's status."""

    url: Annotated[str, Field(min_length=1, max_length=2000), _address(check_webhook)] = Field(
        description="Where the job is POSTed to, http or https.", examples=["https://example.com/hooks/transcoding"]
    )
    secret_token: Omittable[SecretToken] = optional(
        "Sent as `x-streams-token`, and the key of `webhook-signature`: after `whsec_` comes the base64 of the key, as in "
        "Standard Webhooks; any other token is the key itself. "
        "Made by the server when left out; kept when a PUT leaves it out, and otherwise replaced at once."
    )


class StorageRequest(Request):
    """The storage of an organization."""

    url: Annotated[str, Field(min_length=1, max_length=MOST_CHARACTERS), _address(check_output)] = Field(
        description="`s3://bucket/prefix/?access_key=…&secret_key=…`, with `region` and, for another provider than AWS, "
        "`endpoint`. The keys are kept sealed.",
        examples=["s3://bucket/?access_key=<access_key>&secret_key=<secret_key>&region=eu-west-1"],
    )


class RotationRequest(Request):
    """How a webhook gets another secret; all of it may be left out."""

    secret_token: Omittable[SecretToken] = optional(
        "The new secret, made by the server when left out. A receiver that compares `x-streams-token`, which is the new one from "
        "the rotation on, has to know it before."
    )
    overlap_seconds: Omittable[Annotated[int, Field(ge=0, le=MOST_OVERLAP_SECONDS)]] = optional(
        "How long requests are signed with the secret of before as well. 0 takes it out of use at once: for one that has leaked. "
        "When left out, the server's operator has said it: a day, as a rule.",
        examples=[86_400],
    )


def context(texts: dict[str, str], *, policy: AddressPolicy) -> dict[str, Any]:
    """What the models above need to know besides the values: each member's text, and where addresses may lead."""
    return {"texts": texts, "policy": policy}

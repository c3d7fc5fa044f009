"""Running an ended job again: the request that would have created it, with what its retry does otherwise. Pure."""

from typing import Any

from services.api.contract.claims import claim_of, source_place
from services.api.contract.content_ids import parse_content_id
from services.api.contract.errors import Invalid
from services.api.contract.json_body import Members, parse_members
from shared.encryption.request import EncryptionRequest
from shared.job import Job
from shared.locations import is_masked
from shared.payload import json_text


def retry_members(job: Job, given: Members) -> Members:
    """The members of a request that creates the job anew: those given, and the job's own where none are.

    Args:
        given: what is in them is good for itself.

    Raises:
        Invalid: an address has to come with its secrets, which were deleted when the job ended, or is another place; or the
            content is another one.
    """
    problems = {}
    source = next((name for name in ("input_url", "input_path") if name in given.values), "input_url")
    if problem := _source_problem(job.input_url, given.values.get(source)):
        problems[source] = [problem]
    if problem := _output_problem(job.output_path, given.values.get("output_path")):
        problems["output_path"] = [problem]
    if problems:
        raise Invalid(problems)
    own = {
        source: json_text(job.input_url),
        "output_path": json_text(job.output_path),
        "resolutions": json_text(job.resolutions),
        "priority": json_text(job.priority),
        "profile": json_text(job.profile),
    }
    if job.early_playback:
        own["early_playback"] = "true"
    if job.client_metadata is not None:
        own["client_metadata"] = job.client_metadata
    members = ", ".join(f'"{name}": {text}' for name, text in (own | given.texts | _encryption(job, given)).items())
    return parse_members(f"{{{members}}}".encode())


def _encryption(job: Job, given: Members) -> dict[str, str]:
    """The members that say how to encrypt: those given, and for the rest the job's own.

    Raises:
        Invalid: the content is to have another id, though a retry may use what its job has encrypted under that one.
    """
    own = job.encryption
    if own is None or job.drm_content_id is None:
        return {}
    asked, enabled = given.values.get("encryption"), given.values.get("enable_drm")
    if asked is None and enabled in (None, own.scheme == "cbcs"):
        asked = own.scheme
    elif asked is None:
        asked = "cbcs" if enabled else "none"
    if asked != own.scheme:
        # With keys of its own: the ones of DRM are not to be given out as plainly as those of AES-128.
        return {"encryption": json_text(asked)}
    options = {"content_id": job.drm_content_id} | given.values.get("drm", _options(own))
    if parse_content_id(options["content_id"]) != job.drm_content_id:
        raise Invalid({"drm": [f"content_id: A retry keeps that of its job, {job.drm_content_id}. Leave it out."]})
    return {"encryption": json_text(asked), "drm": json_text(options)}


def _options(own: EncryptionRequest) -> dict[str, Any]:
    """The member ``drm`` that asks for the same."""
    if own.scheme == "aes-128":
        return {"key_uri": own.key_uri} if own.key_uri else {}
    return {"systems": list(own.systems), "keys": own.keys}


def _source_problem(before: str, given: str | None) -> str | None:
    if is_masked(given or before):
        secrets = "access_key and secret_key" if before.startswith("s3://") else "everything that belongs to it"
        return f"Send the address of the input again, with {secrets}: its secrets were deleted when the job ended."
    if given and source_place(given) != source_place(before):
        return f"A retry reads the same input, {before}. Create a job for another one."
    return None


def _output_problem(before: str, given: str | None) -> str | None:
    if is_masked(given or before):
        return "Send output_path again, with access_key and secret_key: they were deleted when the job ended."
    if given and claim_of(given) != claim_of(before):
        return f"A retry writes to the same place, {before}. Create a job for another one."
    return None

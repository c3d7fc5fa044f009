"""Running an ended job again: the request that would have created it, with what its retry does otherwise. Pure."""

from services.api.contract.claims import claim_of, source_place
from services.api.contract.errors import Invalid
from services.api.contract.json_body import Members, parse_members
from shared.job import Job
from shared.locations import is_masked
from shared.payload import json_text


def retry_members(job: Job, given: Members) -> Members:
    """The members of a request that creates the job anew: those given, and the job's own where none are.

    Args:
        given: what is in them is good for itself.

    Raises:
        Invalid: an address has to come with its secrets, which were deleted when the job ended, or is another place.
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
        "enable_drm": json_text(job.enable_drm),
        "priority": json_text(job.priority),
        "profile": json_text(job.profile),
    }
    if job.client_metadata is not None:
        own["client_metadata"] = job.client_metadata
    members = ", ".join(f'"{name}": {text}' for name, text in (own | given.texts).items())
    return parse_members(f"{{{members}}}".encode())


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

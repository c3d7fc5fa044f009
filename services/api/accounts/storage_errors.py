"""What to answer where the storage of an organization does not do what is asked of it."""

import structlog

from services.api.contract.errors import ApiError, StorageRefused, Unavailable
from shared.locations import S3Location
from shared.storage import problem_of, words_of


def refusal_of(error: BaseException, location: S3Location) -> ApiError:
    """What to answer where a call on an organization's storage has failed."""
    problem = problem_of(error)
    structlog.get_logger().warning(
        "storage of an organization failed", problem=problem, words=words_of(error, location)
    )
    match problem:
        case "busy" | "unreachable":
            return Unavailable("The storage of the organization is out of reach, or busy. Try again.")
        case "forbidden_address":
            return StorageRefused(
                "The storage of the organization is at a private or loopback address. Its operator may allow it with "
                "MILLRACE_ALLOWED_HOSTS."
            )
        case "credentials" | "wrong_region":
            return StorageRefused(
                "The storage of the organization refuses the credentials that are configured for it. Have one of its admins set "
                "it again: PUT …/storage/, or millrace storage set."
            )
        case "missing_bucket":
            return StorageRefused(
                "The bucket that is configured as the storage of the organization does not exist. Create it, or set another one: "
                "PUT …/storage/, or millrace storage set."
            )
        case "denied":
            return StorageRefused(
                "The credentials of the organization's storage may not do this. They need to read objects, and for uploads to "
                "write and delete them, and to list and abort uploads in parts."
            )
        case _:
            return StorageRefused(f"The storage of the organization refused a request: {words_of(error, location)}")

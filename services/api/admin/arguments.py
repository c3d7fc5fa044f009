"""What commands take on their command lines, and how it is read."""

import re
from collections.abc import Callable
from typing import Annotated
from uuid import UUID

import typer

from services.api.contract.quotas import LEAST_WEIGHT, MOST_QUOTA, MOST_WEIGHT
from services.api.contract.roles import OrganizationRole
from shared.ids import ORG_PATTERN
from shared.settings import SERVICES


def positive(text: str) -> int:
    """A number from 1 on."""
    if not re.fullmatch(r"[0-9]{1,18}", text) or int(text) == 0:
        raise typer.BadParameter("a number from 1 on")
    return int(text)


def job_id(text: str) -> str:
    """What may be the id of a job."""
    if not re.fullmatch(r"[A-Za-z0-9]{1,64}", text):
        raise typer.BadParameter("letters and digits")
    return text


def code(text: str) -> str:
    """What may be the code of an organization."""
    if not re.match(ORG_PATTERN, text):
        raise typer.BadParameter("6 lower-case letters and digits")
    return text


def service(text: str) -> str:
    """One of the services."""
    if text not in SERVICES:
        raise typer.BadParameter(f"one of {', '.join(SERVICES)}")
    return text


def uuid_shown_by(command: str) -> Callable[[str], UUID]:
    """Reads the ids that a command shows."""

    def read(text: str) -> UUID:
        try:
            return UUID(text)
        except ValueError:
            raise typer.BadParameter(f"an id as {command} shows it") from None

    return read


def name(text: str) -> str:
    """By which people know a token or a user."""
    if not text.isprintable() or len(text) > 100:
        raise typer.BadParameter("at most 100 printable characters")
    return text


def quota(text: str) -> int:
    """A quota, -1 for the one of the settings."""
    if text == "default":
        return -1
    if not re.fullmatch(r"[0-9]{1,10}", text) or int(text) > MOST_QUOTA:
        raise typer.BadParameter(f"a number from 0 to {MOST_QUOTA}, or default")
    return int(text)


def weight(text: str) -> float:
    """A weight, 0 for the usual one."""
    if text == "default":
        return 0.0
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?", text) or not LEAST_WEIGHT <= float(text) <= MOST_WEIGHT:
        raise typer.BadParameter(f"a number from {LEAST_WEIGHT:g} to {MOST_WEIGHT:g}, or default")
    return float(text)


_SHOWN = "As dead-letters shows it."
Organization = Annotated[str, typer.Argument(metavar="CODE", help="Code of the organization.")]
OwnCode = Annotated[
    str | None,
    typer.Option("--code", metavar="CODE", parser=code, help="6 lower-case letters and digits; else a random one."),
]
Member = Annotated[str, typer.Option("--organization", metavar="CODE", help="Code of the organization.")]
Role = Annotated[OrganizationRole, typer.Option(help="In the organization.")]
Operator = Annotated[bool, typer.Option("--operator", help="May see to the server, too.")]
MaybeOrganization = Annotated[
    str | None, typer.Option("--organization", metavar="CODE", help="Code of the organization.")
]
OneOrganization = Annotated[
    str | None, typer.Option("--organization", metavar="CODE", parser=code, help="Only those of one.")
]
WholeJob = Annotated[str | None, typer.Option("--job", metavar="ID", parser=job_id, help="All of this job.")]
OneJob = Annotated[str | None, typer.Option("--job", metavar="ID", parser=job_id, help="Only those of one.")]
Name = Annotated[str, typer.Option("--name", metavar="NAME", parser=name, help="By which people know it.")]
NewName = Annotated[str, typer.Argument(metavar="NAME", parser=name)]
TokenId = Annotated[
    UUID, typer.Argument(metavar="ID", parser=uuid_shown_by("list-tokens"), help="As list-tokens shows it.")
]
BusUserId = Annotated[
    UUID, typer.Argument(metavar="ID", parser=uuid_shown_by("list-bus-users"), help="As list-bus-users shows it.")
]
Letter = Annotated[int, typer.Argument(metavar="NUMBER", parser=positive, help=_SHOWN)]
AnyLetters = Annotated[list[int] | None, typer.Argument(metavar="NUMBER", parser=positive, help=_SHOWN)]
Letters = Annotated[list[int], typer.Argument(metavar="NUMBER", parser=positive, help=_SHOWN)]
OneService = Annotated[
    str | None, typer.Option("--service", metavar="SERVICE", parser=service, help="Only those of one.")
]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, one object a line.")]
StorageEndpoint = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="How browsers call the service of the storage, where that is not as this server does; empty for as it does.",
    ),
]
PlaybackUrl = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Below which players find the objects of the bucket, such as a CDN's; {bucket} in it is its name; "
        "empty for none.",
    ),
]
Quota = Annotated[int | None, typer.Option(metavar="N", parser=quota, help="0 for no limit, default for the setting.")]
Weight = Annotated[
    float | None,
    typer.Option(
        metavar="W", parser=weight, help="Twice the weight, twice the share of the places; default for the usual 1."
    ),
]

"""Identifiers: how they are made, and what may stand in a subject of the bus.

Everything that becomes a token of a NATS subject is validated here first, because the server accepts a publish to a
literal ``*`` or ``>`` and such a message would then match everybody's filters.
"""

import secrets
from typing import Annotated

from pydantic import StringConstraints

JOB_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
"""The alphabet of shortuuid: digits and letters without 0, 1, I, O and l."""

ORG_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"

ORG_PATTERN = r"^[a-z0-9]{6}\Z"
JOB_PATTERN = rf"^[{JOB_ALPHABET}]{{11}}\Z"
PART_PATTERN = r"^[a-z]{1,8}[0-9]{0,6}\Z"

OrgCode = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{6}$", min_length=6, max_length=6)]
JobId = Annotated[str, StringConstraints(pattern=rf"^[{JOB_ALPHABET}]{{11}}$", min_length=11, max_length=11)]
PartName = Annotated[str, StringConstraints(pattern=r"^[a-z]{1,8}[0-9]{0,6}$", max_length=14)]


def new_job_id() -> str:
    """A random job id: 11 characters out of 57, about 64 bits."""
    return "".join(secrets.choice(JOB_ALPHABET) for _ in range(11))


def new_org_code() -> str:
    """A random organization code: 6 lower-case letters and digits."""
    return "".join(secrets.choice(ORG_ALPHABET) for _ in range(6))

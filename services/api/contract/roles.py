"""Roles: what somebody may do in an organization, and who sees to the server itself. Pure."""

from typing import Literal, get_args

OrganizationRole = Literal["viewer", "member", "admin"]
"""What a user or a token is in an organization. Each role may do what those before it may."""

Role = OrganizationRole | Literal["operator"]
"""What an operation may need. An operator sees to the server; in organizations his role there counts, as everybody's does."""

ORGANIZATION_ROLES: tuple[OrganizationRole, ...] = get_args(OrganizationRole)

_WHO_GIVES_IT = {
    "operator": "Whoever runs this server can make you one: admin set-operator.",
    "admin": "Another admin of the organization can make you one.",
}
_AN_ADMIN_GIVES_IT = "An admin of the organization can make you one."


def has_role(role: OrganizationRole, needed: OrganizationRole) -> bool:
    """Whether a role may do what another one may."""
    return ORGANIZATION_ROLES.index(role) >= ORGANIZATION_ROLES.index(needed)


def role_is_missing(needed: Role, role: OrganizationRole | None) -> str:
    """The sentence for somebody who may not do something.

    Args:
        role: the one that he has in the organization; None outside of organizations.
    """
    has = f", and you are a {role} of this organization".replace("a admin", "an admin") if role else ""
    return f"This needs the role {needed}{has}. {_WHO_GIVES_IT.get(needed, _AN_ADMIN_GIVES_IT)}"

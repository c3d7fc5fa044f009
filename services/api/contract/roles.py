"""Roles: what somebody may do in an organization, and who sees to the server itself. Pure."""

from typing import Literal, get_args

OrganizationRole = Literal["viewer", "member", "admin"]
"""What a user or a token is in an organization. Each role may do what those before it may."""

Role = OrganizationRole | Literal["operator"]
"""With the role that no organization gives. In organizations, an operator may do what his role there allows, as everybody."""

Needed = Role | Literal["anyone"]
"""What an operation needs; ``anyone`` is whoever has a token or a browser session, since it asks about nobody but him."""

ORGANIZATION_ROLES: tuple[OrganizationRole, ...] = get_args(OrganizationRole)

_WHO_GIVES_IT = {
    "operator": "Whoever runs this server gives it: admin set-operator.",
    "admin": "Another admin of the organization can give it.",
}
_AN_ADMIN_GIVES_IT = "An admin of the organization can give it."


def may(role: OrganizationRole | None, needed: Needed, *, operator: bool) -> bool:
    """Whether somebody may do what needs a role.

    Args:
        role: in the organization that is asked about; None for none. operator: whether he is one.
    """
    if needed == "operator":
        return operator
    if needed == "anyone":
        return True
    return role is not None and ORGANIZATION_ROLES.index(role) >= ORGANIZATION_ROLES.index(needed)


def role_is_missing(role: OrganizationRole | None, needed: Needed) -> str:
    """The sentence for somebody who may not do something."""
    has = f", and yours in this organization is {role}" if role and needed != "operator" else ""
    return f'This needs the role "{needed}"{has}. {_WHO_GIVES_IT.get(needed, _AN_ADMIN_GIVES_IT)}'

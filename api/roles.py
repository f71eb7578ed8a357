"""Names the roles of people and programs."""

from __future__ import annotations

from typing import Literal, get_args

#: What a user of the dashboard, or a token, may do. Each role may do all that those before it may.
Role = Literal["reader", "agent", "operator", "admin"]

ROLES: tuple[Role, ...] = get_args(Role)


def includes(held: Role, needed: Role) -> bool:
    """Tell whether a role may do what another may."""
    return ROLES.index(held) >= ROLES.index(needed)

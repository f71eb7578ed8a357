"""Names the users of the dashboard and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: An operator may act, a viewer may only look.
Role = Literal["operator", "viewer"]


@dataclass(frozen=True, slots=True)
class User:
    """Names a user of the dashboard.

    Attributes:
      name: for the audit log.
      role: what the user may do.
      signed_in: with a password, so that there is something to sign out of.
    """

    name: str
    role: Role
    signed_in: bool = False

    @property
    def is_operator(self) -> bool:
        """Tell whether the user may act."""
        return self.role == "operator"

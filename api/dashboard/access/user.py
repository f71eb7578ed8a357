"""Names the users of the dashboard and what they may do."""

from __future__ import annotations

from dataclasses import dataclass

from api.roles import Role, includes
from api.users import SHARED


@dataclass(frozen=True, slots=True)
class User:
    """Names a user of the dashboard.

    Attributes:
      name: for the audit log, and beside what the user writes.
      role: what the user may do.
      signed_in: with a password, so that there is something to sign out of.
    """

    name: str
    role: Role
    signed_in: bool = False

    @classmethod
    def shared(cls, name: str, *, signed_in: bool = False) -> User:
        """Return the user whom all those are who come in without a name of their own.

        Parameters:
          name: `operator` and `viewer`, by the passwords of the settings, or `local`.
          signed_in: with a password.
        """
        return cls(name, SHARED[name], signed_in=signed_in)

    def may(self, role: Role) -> bool:
        """Tell whether the user may do what a role may."""
        return includes(self.role, role)

    @property
    def is_shared(self) -> bool:
        """Tell whether several people may be this user. Those of one password have no name of their own."""
        return self.name in SHARED

    @property
    def sees_people(self) -> bool:
        """Tell whether the user sees what readers do not: names, and numbers that are searched for."""
        return self.may("agent")

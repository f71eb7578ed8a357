"""Names the program that makes a request, and checks its role."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Request, Security
from fastapi.security import HTTPBearer, SecurityScopes

from ..roles import Role
from .problems import Refused
from .tokens import Token


@dataclass(frozen=True, slots=True)
class Caller:
    """Names a program.

    Attributes:
      token: what it showed.
      address: where it is.
    """

    token: Token
    address: str

    @property
    def name(self) -> str:
        """Return the name of its token."""
        return self.token.name


#: For the OpenAPI document. `Gate` has read the token when an operation is looked for.
_BEARER = HTTPBearer(
    scheme_name="token",
    description="A token of `recado tokens create`. The role that an operation needs stands with it.",
    auto_error=False,
)


def _authorised(request: Request, needed: SecurityScopes, _: Annotated[object, Security(_BEARER)]) -> Caller:
    """Return the caller of an operation.

    Raises:
      Refused: its token has not the role that the operation needs.
    """
    caller: Caller = request.state.caller
    role: Role = needed.scopes[0]  # type: ignore[assignment]  # those below
    if not caller.token.may(role):
        raise Refused(
            "forbidden",
            f"The token {caller.name} has the role {caller.token.role}, and this needs {role}. Make one: "
            f"recado tokens create --name NAME --role {role}",
        )
    return caller


Reader = Annotated[Caller, Security(_authorised, scopes=["reader"])]
Agent = Annotated[Caller, Security(_authorised, scopes=["agent"])]
Operator = Annotated[Caller, Security(_authorised, scopes=["operator"])]

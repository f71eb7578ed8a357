"""What Twilio's REST API is called with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Credentials:
    """What Twilio is called with. A reply is sent under the account that received what it answers.

    Attributes:
      account_sid: the main account.
      user, password: for the main account: its SID and auth token, or an API key's SID and secret.
      subaccount_tokens: auth tokens by the subaccount's SID. A subaccount without one is sent for with the
        main account's credentials, which Twilio accepts for its own subaccounts.
    """

    account_sid: str
    user: str
    password: str = field(repr=False)
    subaccount_tokens: Mapping[str, str] = field(default_factory=dict, repr=False)

    def of(self, account: str) -> tuple[str, str]:
        """Return user and password to send under an account."""
        token = self.subaccount_tokens.get(account)
        return (self.user, self.password) if token is None else (account, token)

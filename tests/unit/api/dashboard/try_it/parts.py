"""What plays a customer, with a network that goes nowhere."""

from __future__ import annotations

from collections.abc import Mapping

from actors.reply import Reply
from api.dashboard.try_it.network import Network, NotReached, Posted

from ..requests import settings

PHONE, OTHER = "whatsapp:+5511900000001", "whatsapp:+5511900001234"


class NoNetwork(Network):
    """Remembers what it was to bring.

    Attributes:
      status: of its answers.
      is_away: the API is not reached.
    """

    def __init__(self) -> None:
        super().__init__(settings(dashboard_try_it=True, reply_sender="console"))
        self.brought: list[Mapping[str, str]] = []
        self.reported: list[tuple[str, Mapping[str, str]]] = []
        self.status, self.is_away = 200, False

    def bring(self, parameters: Mapping[str, str]) -> Posted:
        self.brought.append(parameters)
        return self._answer()

    def report(self, reply_id: str, parameters: Mapping[str, str]) -> Posted:
        answer = self._answer()
        self.reported.append((reply_id, parameters))
        return answer

    def _answer(self) -> Posted:
        if self.is_away:
            raise NotReached("connection refused")
        return Posted(1_000 + len(self.brought), self.status, 3.4)


def reply(text: str, contact: str = PHONE) -> Reply:
    """A reply that is being sent."""
    return Reply(
        reply_id=f"reply-{text}",
        conversation=f"AC1|whatsapp:+15005550006|{contact}",
        channel="twilio",
        account="AC1",
        contact=contact,
        address="whatsapp:+15005550006",
        body=text,
        kind="answer",
        state="sending",
        received_at=1_000,
        written_at=2_000,
        sending_at=3_000,
        external_id=None,
        delivery_status=None,
        error=None,
        mode="assistant",
    )

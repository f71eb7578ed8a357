"""A shop on each engine. What happened to people who run such bots is sent to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import pytest

from actors.conversations.reader import Attention
from actors.keys import ConversationKey
from ops.webhook import MESSAGES_PATH, signed
from tests.e2e.conftest import FALLBACK, Settings
from tests.fakes.model import FakeModel
from tests.fakes.twilio import Account, FakeTwilio
from tests.support.system import PUBLIC_URL, SMS_ADDRESS, Program, System

#: Addresses with an assistant of their own: one that says nothing, and one at an older endpoint.
BLANK, OLDER = "whatsapp:+5511900009001", "whatsapp:+5511900009002"

PROFILES = f"""
[blank]
addresses = ["{BLANK}"]
ai_provider = "tests.e2e.field.responders:blank"

[older]
addresses = ["{OLDER}"]
model = "an-older-model"
extra = {{ temperature = 0.3 }}
"""


class Shop(NamedTuple):
    """A whole Recado and what is around it.

    Attributes:
      system: an API and a worker at work.
      model: what answers.
      subaccount: another account of the shop's at Twilio.
    """

    system: System
    model: FakeModel
    subaccount: Account

    def send(self, contact: str, text: str = "", **parameters: str) -> None:
        """Send a message of a contact, and wait until all that it leads to has happened.

        Parameters:
          contact: with `whatsapp:`, or a number alone for SMS.
          text: its Body.
          parameters: more of the webhook's, or others.
        """
        to = {} if ":" in contact else {"to": SMS_ADDRESS}
        given = {**self.system.parameters(text, sender=contact, **to), **parameters}
        token = self.subaccount.auth_token if given["AccountSid"] == self.subaccount.sid else None
        body, headers = signed(
            PUBLIC_URL + MESSAGES_PATH, given, auth_token=token or self.system.twilio.auth_token
        )
        response = self.system.http.post(self.system.url + MESSAGES_PATH, content=body, headers=headers)
        assert (response.status_code, response.text) == (200, "<Response/>")
        self.system.settle()

    def attention(self, contact: str) -> list[Attention]:
        """What a person has to decide about a contact's messages and replies."""
        entries = self.system.conversations.reader.attention(limit=100)
        return [entry for entry in entries if ConversationKey.read(entry.conversation).contact == contact]

    def got(self, contact: str) -> list[str]:
        """What Twilio accepted for a contact."""
        return self.system.twilio.bodies_to(contact)


@pytest.fixture(scope="session")
def _shop(
    tmp_path_factory: pytest.TempPathFactory, twilio: FakeTwilio, engine: Settings
) -> Iterator[tuple[Shop, list[Program]]]:
    settings = {
        "AI_PROVIDER": "openai",
        "AI_API_KEY": "sk-1",
        "AI_MODEL": "a-model",
        "AI_VISION": "true",
        "AI_TRANSCRIBE_MODEL": "a-listener",
        "MESSAGE_MAX_RETRIES": "3",
        "REPLY_FALLBACK_TEXT": FALLBACK,
        "TWILIO_TIMEOUT_S": "2",
    }
    directory = tmp_path_factory.mktemp("field")
    (profiles := directory / "profiles.toml").write_text(PROFILES)
    with FakeModel() as model, System(directory, twilio, **settings, **engine) as system:
        shop = Shop(system, model, twilio.account())
        # The account takes no auth token for its REST API, so that whatever is sent is sent with the key.
        key, secret = system.twilio.api_key()
        system.twilio.takes_token = False
        system.settings |= {
            "AI_BASE_URL": model.url,
            "PROFILES_PATH": str(profiles),
            "TWILIO_API_KEY_SID": key,
            "TWILIO_API_KEY_SECRET": secret,
            "TWILIO_SUBACCOUNTS": f"{shop.subaccount.sid}={shop.subaccount.auth_token}",
        }
        yield shop, [system.api(), system.worker("--module", "tests.e2e.impatience")]


@pytest.fixture
def shop(_shop: tuple[Shop, list[Program]]) -> Iterator[Shop]:
    """The shop, in which nothing waits and the fakes have heard nothing."""
    shop, programs = _shop
    yield shop
    shop.system.clear(keep=programs)
    shop.model.forget()
    shop.subaccount.forget()

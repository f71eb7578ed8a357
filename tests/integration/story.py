"""A day in the life of a Recado, in seconds: all that the metrics have a word for happens."""

from __future__ import annotations

from llmock.pytest_plugin import LLMock

from tests.fakes.endpoint import SECRET, FakeEndpoint
from tests.support.system import PUBLIC_URL, System

#: Settings under which nothing takes long: one retry, one look for a reply.
SETTINGS = {
    "MESSAGE_MAX_RETRIES": "1",
    "REPLY_RECONCILE_DELAYS_S": "1",
    "REPLY_SENDER": "twilio",
    "BUDGET_TOKENS_PER_DAY": "10000",
}


def asking(model: LLMock) -> dict[str, str]:
    """Settings that have replies written by that model."""
    return {
        "AI_PROVIDER": "openai",
        "AI_BASE_URL": model.base_url("openai"),
        "AI_API_KEY": "sk-a-key-nobody-may-see",
        "AI_MODEL": "a-model",
    }


def telling(endpoint: FakeEndpoint) -> dict[str, str]:
    """Settings that have another system told what comes in."""
    return {"EVENTS_URL": endpoint.url, "EVENTS_SECRET": SECRET, "EVENTS": "message.received"}


def one_of_each(system: System, model: LLMock, endpoint: FakeEndpoint) -> None:
    """Replies are sent, delivered, not delivered, limited, refused and lost; the model fails, and refuses; a
    webhook is forged. Another system takes what it is told, later, and never.
    """
    endpoint.answer(503, times=1, Retry_After="0")
    model.reply("Olá!")
    _write(system)
    *_, message = system.twilio.messages
    for status in ("sent", "delivered"):
        system.twilio.report(message, status, through=system.url)
    system.twilio.report(message, "undelivered", through=system.url, error_code=30003)
    model.fail(500).reply("Olá, afinal!")
    endpoint.answer(400, times=1)
    _write(system)
    model.context_overflow()
    _write(system)
    system.twilio.refuse(429, 20429, retry_after="0")
    _write(system)
    system.twilio.refuse(400, 21211)
    _write(system)
    system.twilio.fail(500, stores=False)
    _write(system)
    _forge(system)
    system.settle()


def _write(system: System) -> None:
    """Somebody writes, and what comes of it comes of it."""
    system.write("Oi", sender=system.contact())
    system.settle()


def _forge(system: System) -> None:
    parameters = system.parameters("Oi", sender=system.contact())
    response = system.http.post(
        f"{system.url}/webhooks/twilio/messages", data=parameters, headers={"X-Twilio-Signature": PUBLIC_URL}
    )
    assert response.status_code == 403

"""Builds what the actors and the API work with, from the settings, once per process."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from dramatiq import Middleware
from prometheus_client import REGISTRY

from brokers.durable import DurableBroker
from brokers.middleware import stack
from ops.settings import Settings, SettingsError, load_settings

from . import spans
from .ai import EchoResponder, Responder
from .console import ConsoleSender
from .context import REQUEST_ID, LogContext
from .conversations import ConversationStore
from .engines import conversation_store, oversight, queue_backend
from .exposition import Exposition
from .oversight import Oversight
from .sender import Sender
from .startup import Announcement

#: Where Twilio reports on deliveries, below PUBLIC_BASE_URL.
STATUS_CALLBACK_PATH = "/webhooks/twilio/status"

#: How long a worker that hangs may still be there, in seconds: it is killed when another has taken its place.
REPLACED_WITHIN_S = 30.0


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running Recado."""

    settings: Settings
    broker: DurableBroker
    oversight: Oversight
    conversations: ConversationStore
    responder: Responder
    sender: Sender


@cache
def services() -> Services:
    """This process's services.

    Raises:
      SettingsError: listing every wrong or missing setting.
    """
    settings = load_settings()
    conversations = conversation_store(settings, settings.conversations_on)
    broker = _broker(settings, conversations)
    return Services(
        settings=settings,
        broker=broker,
        oversight=oversight(settings, broker),
        conversations=conversations,
        responder=_responder(settings),
        sender=_sender(settings),
    )


def _broker(settings: Settings, conversations: ConversationStore) -> DurableBroker:
    middleware = stack(
        max_age_ms=settings.message_max_age_ms,
        time_limit_ms=settings.message_time_limit_ms,
        max_retries=settings.message_max_retries,
        min_backoff_ms=settings.message_min_backoff_ms,
        max_backoff_ms=settings.message_max_backoff_ms,
        metrics=REGISTRY,
    )
    return DurableBroker(
        queue_backend(settings, settings.queue_backend),
        middleware=[
            LogContext(),  # first: the id it gives a message is in that message's spans, too
            *_tracing(settings),
            *middleware,
            Announcement(settings),
            Exposition(settings, conversations),
        ],
        patience_s=settings.longest_run_s + REPLACED_WITHIN_S,
    )


def _tracing(settings: Settings) -> list[Middleware]:
    if not settings.tracing:
        return []
    from brokers.middleware.tracing import Tracing  # noqa: PLC0415  an extra

    spans.switch_on()
    return [Tracing(correlated_by=REQUEST_ID)]


def _responder(settings: Settings) -> Responder:
    if settings.ai_provider == "echo":
        return EchoResponder(delay_s=settings.echo_delay_s)
    if settings.ai_provider != "openai":
        return _responder_of_your_own(settings)
    from .ai.openai import DEFAULT_SYSTEM_PROMPT, OpenAIResponder  # noqa: PLC0415  slow to import

    prompt_path = settings.ai_system_prompt_path
    return OpenAIResponder(
        base_url=settings.required("ai_base_url"),
        api_key=settings.required("ai_api_key"),
        model=settings.required("ai_model"),
        system_prompt=DEFAULT_SYSTEM_PROMPT if prompt_path is None else prompt_path.read_text().strip(),
        connect_timeout_s=settings.ai_connect_timeout_s,
        timeout_s=settings.ai_timeout_s,
        max_tokens=settings.ai_max_tokens,
        history_messages=settings.ai_history_messages,
        history_characters=settings.ai_history_characters,
    )


def _responder_of_your_own(settings: Settings) -> Responder:
    """What `AI_PROVIDER=package.module:factory` names: called with the settings, returns a responder."""
    module_name, _, factory_name = settings.ai_provider.partition(":")
    sys.path.insert(0, str(Path.cwd()))
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except (ImportError, AttributeError) as error:
        raise SettingsError(f"AI_PROVIDER: {settings.ai_provider} cannot be imported: {error}") from error
    responder: Responder = factory(settings)
    return responder


def _sender(settings: Settings) -> Sender:
    if not settings.sends_through_twilio:
        return ConsoleSender(settings.console_outbox_path)
    from .twilio import TwilioSender  # noqa: PLC0415  slow to import

    return TwilioSender(
        account_sid=settings.required("twilio_account_sid"),
        auth_token=settings.auth_tokens[0],
        status_callback_url=settings.required("public_base_url") + STATUS_CALLBACK_PATH,
        api_base_url=settings.twilio_api_base_url,
        timeout_s=settings.twilio_timeout_s,
    )

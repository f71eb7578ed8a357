"""Builds what the actors and the API work with, from the settings, once per process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import structlog
from dramatiq import Middleware
from prometheus_client import REGISTRY

from brokers.backend import QueueBackend
from brokers.durable import DurableBroker
from brokers.elastic_threads import ElasticThreads
from brokers.middleware import AgeLimit, Metrics, Retries, TimeLimit, default_middleware
from ops.foundation.dotenv_check import misspelt
from ops.foundation.logging import configure_logging
from ops.foundation.metrics import keep_metrics_in
from ops.foundation.open_files import raise_limit
from ops.foundation.settings import DOTENV, Settings, load_settings
from ops.foundation.tracing import configure_tracing

from . import spans
from .channels import Channel, ConsoleChannel, InboundMessage, ObservedTwilio
from .channels.twilio.credentials import Credentials
from .channels.twilio.inbound import Keywords
from .chores import Chore, Chores
from .context import REQUEST_ID, LogContext
from .conversations import ConversationStore
from .delivery_checks import check_deliveries, every_s
from .engines import conversation_store, hold_policy, queue_backend
from .events.endpoint import MOST_AT_ONCE, Endpoint, endpoints_of
from .exposition import Exposition
from .hold_policy import HoldPolicy
from .housekeeping import EVERY_S, keep_house
from .media import MediaFolder, MediaLibrary, MediaSource, Transcriber, Understanding, sweep
from .notices.receiver import Receiver, receivers_of
from .prices import Prices
from .profiles import Profile, Profiles, load_profiles
from .responders import Asked, Asking, CallLimit, EchoResponder, LimitedResponder, ObservedResponder
from .responders.your_own import responder_of_your_own
from .startup import Startup
from .typing_indicators import TypingIndicators

logger = structlog.get_logger(__name__)

#: The queues whose actors wait for the model, for the channel, and for other systems. Each has threads of its
#: own, so that none keeps another, or an actor of one's own, waiting.
ANSWERING, SENDING, ANNOUNCING = "messages", "replies", "events"

#: Where Twilio reports on deliveries, below PUBLIC_BASE_URL.
STATUS_CALLBACK_PATH = "/webhooks/twilio/status"

#: How long a worker that hangs may still be there, in seconds: it is killed when another has taken its place.
REPLACED_WITHIN_S = 30.0


class UnknownChannel(Exception):
    """A message names a channel that this Recado does not have."""


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of a running Recado.

    Attributes:
      responder: answers at all addresses that are in no profile.
      calls_limit: of all responders', in this process. It is one, because the queue hands out a message
        before it is known which endpoint that needs: a limit of each endpoint's own could not keep messages
        of one that is overloaded from being handed out, and they would use up their retries.
      profiles: the addresses that have an assistant of their own.
      responders: of the profiles, by their names.
      receivers: of notices, by name; none without NOTIFY_URLS.
      endpoints: of events, by name; none without EVENTS_URL.
      typing_indicators: shows contacts that they are being answered; None without TWILIO_TYPING_INDICATOR.
      told_today: what this process has said of the day's budget, so that it says it once a day.
    """

    settings: Settings
    broker: DurableBroker
    hold_policy: HoldPolicy
    conversations: ConversationStore
    responder: Asked
    calls_limit: CallLimit
    channels: Mapping[str, Channel]
    profiles: Profiles = field(default_factory=Profiles)
    responders: Mapping[str, Asked] = field(default_factory=dict)
    media: MediaLibrary = field(default_factory=MediaLibrary)
    understanding: Understanding = field(default_factory=Understanding)
    receivers: Mapping[str, Receiver] = field(default_factory=dict)
    endpoints: Mapping[str, Endpoint] = field(default_factory=dict)
    typing_indicators: TypingIndicators | None = None
    told_today: set[tuple[str, int]] = field(default_factory=set)

    @property
    def prices(self) -> Prices:
        """What tokens and segments cost."""
        return Prices(self.settings.ai_prices or {}, self.settings.segment_prices or {})

    def profile(self, address: str, service: str | None = None) -> Profile:
        """Return what holds for an address of ours: its profile, or the settings alone.

        Parameters:
          address, service: as of `InboundMessage`.
        """
        return self.profiles.find(address, service) or Profile("", self.settings)

    def responder_of(self, profile: Profile) -> Asked:
        """Return what answers for a profile."""
        return self.responders.get(profile.name, self.responder)

    def is_blocked(self, inbound: InboundMessage) -> bool:
        """Return whether a contact is never answered. In a channel with a name before the number, too."""
        names = {name.rpartition(":")[2] for name in (inbound.contact.address, inbound.known_as or "")}
        return bool(self.settings.blocked_addresses) and not names.isdisjoint(
            address.rpartition(":")[2] for address in _listed(self.settings.blocked_addresses)
        )

    def channel(self, channel: str = "twilio") -> Channel:
        """Return a channel by its name.

        Raises:
          UnknownChannel: there is none of that name.
        """
        try:
            return self.channels[channel]
        except KeyError:
            known = ", ".join(sorted(self.channels))
            raise UnknownChannel(f"There is no channel {channel!r}, only {known}") from None


def _open_queue() -> QueueBackend:
    """Build the engine and set up the middleware, as the settings say, when the broker is first used."""
    settings = load_settings()
    keep_metrics_in(settings.metrics_directory)  # before any metric is made
    for each in broker.middleware:
        match each:
            case AgeLimit():
                each.max_age = settings.message_max_age_ms
            case TimeLimit():
                each.time_limit = settings.message_time_limit_ms
            case Retries():
                each.max_retries = settings.message_max_retries
                each.min_backoff = settings.message_min_backoff_ms
                each.max_backoff = settings.message_max_backoff_ms
    observers = [*_tracing(settings), Metrics(REGISTRY)]
    # After LogContext: the id that it gives a message is in the message's spans, too.
    place = 1 + next(i for i, each in enumerate(broker.middleware) if isinstance(each, LogContext))
    broker.middleware[place:place] = observers
    broker.patience_s = settings.longest_run_s + REPLACED_WITHIN_S
    return queue_backend(settings, settings.queue_backend)


@cache
def services() -> Services:
    """This process's services, built when they are first asked for.

    Raises:
      SettingsError: listing every wrong or missing setting, or all that is wrong in the file of profiles.
    """
    settings = load_settings()
    profiles = load_profiles(settings)
    calls_limit = CallLimit(settings.ai_calls_per_worker, max_age_ms=settings.message_max_age_ms)
    return Services(
        settings=settings,
        broker=broker,
        hold_policy=hold_policy(settings, broker),
        conversations=conversation_store(settings, settings.conversations_on),
        responder=_responder(settings, calls_limit),
        calls_limit=calls_limit,
        channels={"twilio": _twilio(settings)},
        profiles=profiles,
        responders={
            each.name: _responder(each.settings, calls_limit, each.system_prompt) for each in profiles
        },
        media=_media(settings),
        understanding=Understanding(
            sees_pictures=settings.ai_vision and settings.ai_provider == "openai",
            transcriber=_transcriber(settings),
            keeps=settings.media_path is not None,
        ),
        receivers=receivers_of(settings),
        endpoints=endpoints_of(settings),
        typing_indicators=TypingIndicators() if settings.twilio_typing_indicator else None,
    )


@cache
def boot() -> Services:
    """Set this process up as one of Recado's: its logs, its traces, how many files it may open, its services.

    A second time changes nothing.

    Raises:
      SettingsError: listing every wrong or missing setting.
    """
    settings = load_settings()
    configure_logging(settings)
    configure_tracing(settings)
    raise_limit()
    parts = services()
    known = {name.upper() for name in Settings.model_fields}
    known |= {each.api_key_env for each in parts.profiles if each.api_key_env is not None}
    for name, meant in misspelt(Path(DOTENV), known):
        logger.warning("a line of .env has no effect: there is no such setting", name=name, meant=meant)
    return parts


#: What each worker sees to now and then. It looks for old conversations after a minute: not while it starts,
#: and also where no worker lives for an hour. What was said lately it makes quick to find for five seconds at
#: most, so that after an upgrade a million texts do not keep others from writing for minutes on end.
_CHORES = (
    Chore(
        "housekeeping",
        every_s=EVERY_S,
        first_s=60,
        do=lambda is_stopping: keep_house(services().conversations.keeper, is_stopping=is_stopping),
    ),
    Chore("media", every_s=EVERY_S, first_s=0, do=lambda _: sweep(services().media.folder)),
    Chore(
        "search",
        every_s=60,
        first_s=60,
        do=lambda _: services().conversations.search.catch_up(within_s=5),
    ),
    Chore(
        "deliveries",
        every_s=lambda: every_s(services().settings.delivery_check_after_s),
        first_s=lambda: every_s(services().settings.delivery_check_after_s),
        do=lambda is_stopping: check_deliveries(
            services().conversations.delivery_checks,
            services().channels,
            services().broker,
            after_s=services().settings.delivery_check_after_s,
            is_stopping=is_stopping,
        ),
    ),
)

#: The broker of Recado's actors. Declaring actors needs it, and no setting: these are read at its first use.
broker = DurableBroker(
    _open_queue,
    middleware=[
        LogContext(),
        *default_middleware(),
        ElasticThreads(
            {
                ANSWERING: lambda: services().calls_limit(),
                SENDING: lambda: services().settings.twilio_calls_per_worker,
                ANNOUNCING: lambda: MOST_AT_ONCE,
            }
        ),
        Startup(lambda: boot().settings),
        Exposition(services),
        Chores(*_CHORES),
    ],
)


def _tracing(settings: Settings) -> list[Middleware]:
    if not settings.tracing:
        return []
    from brokers.middleware.tracing import Tracing  # noqa: PLC0415  an extra

    spans.switch_on()
    return [Tracing(correlated_by=REQUEST_ID)]


def _responder(settings: Settings, calls_limit: CallLimit, system_prompt: str | None = None) -> Asked:
    """Build what `AI_PROVIDER` names, limited and observed.

    Parameters:
      settings: the settings, or those of a profile.
      calls_limit: of all responders'.
      system_prompt: what a profile has in the place of that of its settings.
    """
    attributes: dict[str, str | int | None] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": settings.ai_provider,
        "gen_ai.request.model": settings.ai_model or settings.ai_provider,
        "gen_ai.request.max_tokens": settings.ai_max_tokens,
        "server.address": urlsplit(settings.ai_base_url or "").hostname,
    }
    limited = LimitedResponder(Asking(_plain_responder(settings, system_prompt)), calls_limit)
    return ObservedResponder(limited, provider=settings.ai_provider, attributes=attributes)


def _plain_responder(settings: Settings, system_prompt: str | None) -> Any:
    if settings.ai_provider == "echo":
        return EchoResponder(delay_s=settings.echo_delay_s)
    if settings.ai_provider != "openai":
        return responder_of_your_own(settings)
    from .responders.openai import DEFAULT_SYSTEM_PROMPT, OpenAIResponder  # noqa: PLC0415  slow to import

    prompt_path = settings.ai_system_prompt_path
    if system_prompt is None:
        system_prompt = DEFAULT_SYSTEM_PROMPT if prompt_path is None else prompt_path.read_text().strip()
    return OpenAIResponder(
        base_url=settings.required("ai_base_url"),
        api_key=settings.required("ai_api_key"),
        model=settings.required("ai_model"),
        system_prompt=system_prompt,
        connect_timeout_s=settings.ai_connect_timeout_s,
        timeout_s=settings.ai_timeout_s,
        max_tokens=settings.ai_max_tokens,
        extra=settings.ai_extra or {},
        history_messages=settings.ai_history_messages,
        history_characters=settings.ai_history_characters,
        vision_max_bytes=settings.ai_vision_max_bytes if settings.ai_vision else 0,
        keeps_prompts=settings.ai_keep_prompts,
    )


def _twilio(settings: Settings) -> Channel:
    """Build the channel of Twilio's webhooks: it replies through Twilio, or writes replies down."""
    keywords = Keywords(
        *(
            frozenset(words.upper() for words in _listed(names))
            for names in (
                settings.opt_out_keywords,
                settings.opt_in_keywords,
                settings.help_keywords,
                settings.hand_over_keywords or "",
            )
        )
    )
    if not settings.sends_through_twilio:
        return ConsoleChannel(settings.console_outbox_path, keywords=keywords)
    from .channels.twilio.rest import Senders, TwilioChannel  # noqa: PLC0415  slow to import

    channel = TwilioChannel(
        credentials=_credentials(settings),
        senders=Senders(
            settings.messaging_services,
            settings.twilio_sms_per_second,
            settings.twilio_whatsapp_per_second,
            settings.whatsapp_window_template,
        ),
        status_callback_url=settings.required("public_base_url") + STATUS_CALLBACK_PATH,
        api_base_url=settings.twilio_api_base_url,
        timeout_s=settings.twilio_timeout_s,
        max_age_ms=settings.message_max_age_ms,
        keywords=keywords,
    )
    return ObservedTwilio(channel, api_base_url=settings.twilio_api_base_url)


def _credentials(settings: Settings) -> Credentials:
    return Credentials(
        settings.required("twilio_account_sid"), *settings.twilio_credentials, settings.subaccount_tokens
    )


def _media(settings: Settings) -> MediaLibrary:
    """Build what fetches attachments, where there are credentials, and keeps them, where they are kept."""
    sources: dict[str, MediaSource] = {}
    if settings.dashboard_try_it or settings.has_twilio_credentials:
        from .channels.twilio.media import TwilioMedia  # noqa: PLC0415  slow to import

        # What the phone of the page "Try it" sends is at this Recado's own API, and asks for no password.
        is_played = settings.dashboard_try_it
        sources["twilio"] = TwilioMedia(
            (lambda account: (account, "")) if is_played else _credentials(settings).of,
            api_base_url=settings.local_url if is_played else settings.twilio_api_base_url,
            max_bytes=settings.media_max_bytes,
        )
    folder = None
    if settings.media_path is not None:
        folder = MediaFolder(settings.media_path, retention_s=settings.media_retention_days * 86_400)
    return MediaLibrary(sources, folder=folder, timeout_s=settings.media_timeout_s)


def _transcriber(settings: Settings) -> Transcriber | None:
    if settings.ai_transcribe_model is None:
        return None
    from .media.transcriber import OpenAITranscriber  # noqa: PLC0415  slow to import

    return OpenAITranscriber(
        base_url=settings.required("ai_base_url"),
        api_key=settings.required("ai_api_key"),
        model=settings.ai_transcribe_model,
        connect_timeout_s=settings.ai_connect_timeout_s,
        timeout_s=settings.ai_timeout_s,
    )


def _listed(names: str) -> list[str]:
    """Read what is separated by commas."""
    return [name.strip() for name in names.split(",") if name.strip()]

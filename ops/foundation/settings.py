"""Every setting of Recado, read from the environment (and `.env`) once, at the edge."""

from __future__ import annotations

import re
from functools import cache
from importlib.util import find_spec
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self
from urllib.parse import SplitResult, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from .credentials import without_credentials

Milliseconds = Annotated[int, Field(ge=0)]

#: The bounds of the number of threads in one worker process. A number beyond them is taken for a mistake.
MIN_WORKER_THREADS, MAX_WORKER_THREADS = 1, 4096

#: The file beside the environment, in the current directory.
DOTENV = ".env"

#: Where conversations are kept, by where messages wait, unless a setting says otherwise.
CONVERSATIONS_BESIDE = {"sqlite": "sqlite", "redis": "redis", "sqs": "sqlite", "bullmq": "redis"}

#: The most calls of one kind that one process has in flight: one connection each.
MAX_CALLS = 1000


class SettingsError(Exception):
    """Settings are wrong; the message lists every one of them, and what it should be."""


class Settings(BaseSettings):
    """All settings. Each field's environment variable is its name in capitals."""

    model_config = SettingsConfigDict(
        env_file=DOTENV,
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # an error must not repeat a secret
    )

    #: Whether what only the API needs has to be there, too.
    serving: ClassVar[bool] = False

    # The queue
    queue_backend: Literal["sqlite", "redis", "sqs", "bullmq"] = Field(
        "sqlite",
        description="where messages wait: a file of this machine, a Redis server for any number of them, "
        "Amazon SQS, or BullMQ's queues on a Redis server",
    )
    queue_sqlite_db_path: Path = Field(Path("queue.db"), description="the queue's database file")
    queue_max_deliveries: Annotated[int, Field(ge=2)] = Field(  # what counted on it is told at its second run
        5, description="workers that may die under a message before it becomes a dead letter; at least 2"
    )
    queue_max_message_bytes: PositiveInt = Field(
        1024 * 1024, description="largest message accepted, in bytes"
    )
    conversations_backend: Literal["auto", "sqlite", "redis"] = Field(
        "auto",
        description="where conversations are kept; auto: where messages wait, on Redis beside BullMQ, or in "
        "a file beside SQS",
    )
    conversations_sqlite_db_path: Path = Field(
        Path("conversations.db"), description="the conversations' database file"
    )
    conversations_retention_days: PositiveInt = Field(
        30,
        description="how long what was said is kept once it is at rest, in days; opt-outs, what is owed and "
        "what a person answers stay",
    )

    # Redis
    redis_url: SecretStr | None = Field(
        None,
        description="redis://, rediss:// or unix://; several nodes of a cluster, separated by commas",
    )
    redis_namespace: str = Field(
        "recado",
        pattern=r"^[\w.-]+$",
        description="what the names of all keys begin with; letters, digits, dots and hyphens",
    )
    redis_sentinels: str | None = Field(
        None,
        pattern=r"^[^,:\s]+:\d+(,[^,:\s]+:\d+)*$",
        description="Sentinels that know the master, as host:port, separated by commas",
    )
    redis_sentinel_master: str = Field("mymaster", description="the name the Sentinels know the master by")
    redis_durability: Literal["wait", "require", "waive"] = Field(
        "wait",
        description="wait for the server's file where it has one; require that it has one; or waive the wait",
    )
    redis_timeout_s: PositiveFloat = Field(
        5.0, description="longest wait for a connection or an answer of the server, in seconds"
    )
    redis_heartbeat_timeout_s: Annotated[float, Field(ge=1)] = Field(
        15.0,
        description="heartbeats come five times in so many seconds, at least 1; a worker of another machine "
        "that is silent for four times as long is dead",
    )
    spool_path: Path = Field(
        Path("spool.db"), description="the file in which webhooks wait while Redis is away"
    )
    spool_after_s: PositiveFloat = Field(
        2.0, description="how long a webhook waits for Redis before it goes to the spool, in seconds"
    )

    # Amazon SQS
    sqs_namespace: str = Field(
        "recado",
        pattern=r"^[A-Za-z0-9-]+$",
        max_length=40,
        description="what the names of all queues begin with; letters, digits and hyphens",
    )
    sqs_region: str | None = Field(
        None, description="the region of AWS, such as sa-east-1; that of the credentials when not set"
    )
    sqs_endpoint_url: str | None = Field(
        None, description="the URL of a service that is compatible with SQS; Amazon's own when not set"
    )
    sqs_visibility_timeout_s: Annotated[int, Field(ge=2, le=43_200)] = Field(
        30, description="a worker process silent for so long is dead, in seconds; at least 2"
    )

    # BullMQ
    bullmq_prefix: str = Field(
        "bull",
        pattern=r"^[\w.{}-]+$",
        description="what the names of all keys begin with, as at BullMQ; in a cluster in braces",
    )
    bullmq_keep_completed: NonNegativeInt = Field(
        0, description="jobs that are done and that each queue keeps, for BullMQ's tools to show"
    )
    bullmq_lock_s: Annotated[float, Field(ge=1)] = Field(
        30.0, description="a worker process silent for so long has lost what it holds, in seconds; at least 1"
    )

    # Twilio
    twilio_account_sid: str | None = Field(
        None,
        pattern=r"^AC[0-9a-fA-F]{32}$",
        description="AC and 32 hexadecimal digits, from Twilio's console",
    )
    twilio_auth_token: SecretStr | None = Field(
        None, description="the account's auth token; several, separated by commas, while rotating"
    )
    twilio_api_key_sid: str | None = Field(
        None,
        pattern=r"^SK[0-9a-fA-F]{32}$",
        description="an API key to send with in place of the auth token: SK and 32 hexadecimal digits",
    )
    twilio_api_key_secret: SecretStr | None = Field(None, description="that key's secret")
    twilio_subaccounts: SecretStr | None = Field(
        None,
        description="auth tokens of subaccounts to send with, as account_sid=token, comma-separated; one "
        "that is not listed is sent for with the main account's credentials",
    )
    twilio_messaging_services: str | None = Field(
        None,
        description="Messaging Services to send through, as address=service_sid, comma-separated, such as "
        "+5511900000000=MG and 32 hexadecimal digits",
    )
    twilio_sms_per_second: PositiveFloat | None = Field(
        None,
        description="SMS segments that each of your numbers sends in a second, in all workers together; "
        "unset: as they come, and Twilio queues them. A long code takes 1",
    )
    twilio_whatsapp_per_second: PositiveFloat | None = Field(
        None,
        description="messages that each of your WhatsApp senders sends in a second, likewise; it takes 80",
    )
    whatsapp_window_template: str | None = Field(
        None,
        pattern=r"^HX[0-9a-fA-F]{32}$",
        description="Content SID of the template that carries a reply, as its variable 1, to a WhatsApp "
        "contact who last wrote more than 24 hours ago; unset: such a reply fails, and a person is told",
    )
    twilio_shared_keys: SecretStr | None = Field(
        None, description="shared keys for HMAC_SHA256 webhook signatures, as key_id=secret, comma-separated"
    )
    twilio_validate_signatures: bool = Field(
        True, description="for development only: false accepts webhooks from anyone"
    )
    twilio_api_base_url: str = Field(
        "https://api.twilio.com", description="where Twilio's REST API is; another host is for tests"
    )
    twilio_timeout_s: PositiveFloat = Field(
        10.0, description="longest wait for Twilio's REST API, in seconds"
    )
    public_base_url: str | None = Field(
        None,
        description="the URL under which Twilio reaches this service, such as https://recado.example.com",
    )

    # Sending
    reply_sender: Literal["auto", "twilio", "console"] = Field(
        "auto", description="auto: twilio with credentials, console (nothing is sent) without"
    )
    console_outbox_path: Path = Field(
        Path("outbox.jsonl"), description="where the console sender writes replies, one JSON object a line"
    )
    reply_gather_ms: Milliseconds = Field(
        250, description="wait for the rest of a burst before answering it, in milliseconds"
    )
    reply_max_parts: Annotated[int, Field(ge=1, le=10)] = Field(
        5, description="messages that one answer may be split into; what is longer is cut off"
    )
    reply_fallback_text: str | None = Field(
        None, description="what the customer is told when no answer could be produced; empty: nothing"
    )
    opt_out_keywords: str = Field(
        "STOP,PARAR,SAIR,CANCELAR",
        description="messages by which a contact opts out, separated by commas; on SMS beside Twilio's own",
    )
    opt_in_keywords: str = Field("START,VOLTAR", description="messages by which a contact undoes that")
    help_keywords: str = Field("HELP,AJUDA", description="messages that ask for help with messages")
    opt_out_text: str | None = Field(
        "Você não receberá mais mensagens. Para voltar, responda VOLTAR.",
        description="what a contact is told who opts out, where Twilio does not answer; empty: nothing",
    )
    opt_in_text: str | None = Field(
        "Tudo certo, você voltou a receber mensagens.",
        description="what a contact is told who opts in again; empty: nothing",
    )
    help_text: str | None = Field(
        "Para não receber mais mensagens, responda PARAR.",
        description="what a contact is told who asks for help; empty: nothing",
    )
    hand_over_keywords: str = Field(
        "ATENDENTE,HUMANO,HUMAN", description="messages by which a contact asks for a person to answer"
    )
    hand_over_text: str | None = Field(
        "Vou chamar uma pessoa para atender você. Aguarde um momento, por favor.",
        description="what a contact is told who asks for a person; empty: nothing",
    )
    hand_back_after_hours: PositiveFloat | None = Field(
        24.0,
        description="the assistant answers again when no person took part for so many hours; empty: never",
    )
    voice_text: str = Field(
        "Olá! Este número atende só por mensagens. Por favor, escreva para nós. Obrigado!",
        description="what a caller hears, at /webhooks/twilio/voice",
    )
    voice_language: str = Field("pt-BR", description="the language that it is read in, as of TwiML's Say")
    voice_reply_text: str | None = Field(
        None, description="what a caller is sent as a text message; nothing when not set"
    )
    blocked_addresses: str = Field(
        "",
        description="contacts whose messages are recorded and never answered, numbers separated by commas",
    )
    contact_replies_per_hour: PositiveInt | None = Field(
        60, description="replies that one contact gets in an hour; then a person answers; empty: no limit"
    )
    contact_tokens_per_day: PositiveInt | None = Field(
        300_000, description="tokens that one contact's answers may cost in a day, likewise; empty: no limit"
    )
    contact_same_text_limit: NonNegativeInt = Field(
        5, description="the same text more often than this in a row: a person answers; 0: no limit"
    )
    reply_unknown_policy: Literal["at_most_once", "resend"] = Field(
        "at_most_once", description="for a reply of which Twilio does not know whether it was sent"
    )
    reply_reconcile_delays_s: str = Field(
        "5,15,60",
        description="seconds before each look whether an unknown reply was sent",
        pattern=r"^\d+(,\d+)*$",
    )

    # The model
    ai_provider: str = Field(
        "echo",
        pattern=r"^(echo|openai|[\w.]+:\w+)$",
        description="echo repeats the message, for development; openai is any compatible endpoint; "
        "package.module:name is a responder or an agent of your own",
    )
    ai_base_url: str | None = Field(None, description="the endpoint, such as https://api.openai.com/v1")
    ai_api_key: SecretStr | None = Field(None, description="the endpoint's key")
    ai_model: str | None = Field(None, description="the model's name at the endpoint")
    ai_system_prompt_path: Path | None = Field(None, description="a text file with the system prompt")
    ai_connect_timeout_s: PositiveFloat = Field(5.0, description="longest wait for a connection, in seconds")
    ai_timeout_s: PositiveFloat = Field(60.0, description="longest wait for an answer, in seconds")
    ai_max_tokens: PositiveInt = Field(500, description="longest answer, in the model's tokens")
    ai_extra: dict[str, Any] | None = Field(
        None,
        description='more parameters of each request to the model, as JSON, such as {"temperature": 0.2}',
    )
    ai_history_messages: PositiveInt = Field(20, description="earlier messages the model is shown, at most")
    ai_history_characters: PositiveInt = Field(12_000, description="characters of them, at most")
    echo_delay_s: float = Field(
        0.0, ge=0, description="how long the echo responder pretends to think, in seconds"
    )
    profiles_path: Path | None = Field(
        None, description="a TOML file of addresses that have a prompt, a model, texts or hours of their own"
    )

    # Attachments
    ai_vision: bool = Field(
        False, description="true: the model is shown pictures; it has to be one that sees"
    )
    ai_vision_max_bytes: PositiveInt = Field(
        4 * 1024 * 1024,
        description="pictures of one request to the model, and of all that a worker has in flight, in bytes",
    )
    ai_transcribe_model: str | None = Field(
        None,
        description="the model that writes voice notes down, at AI_BASE_URL; when not set, none are",
    )
    media_path: Path | None = Field(
        None, description="the folder in which attachments are kept; when not set, none are"
    )
    media_retention_days: PositiveInt = Field(30, description="how long they are kept, in days")
    media_max_bytes: PositiveInt = Field(
        16 * 1024 * 1024, description="largest attachment that is fetched, in bytes"
    )
    media_timeout_s: PositiveFloat = Field(
        30.0,
        description="longest wait for all attachments of what is being answered, in seconds, with writing "
        "voice notes down",
    )

    # Notices to people
    notify_urls: SecretStr | None = Field(
        None, description="people to tell what needs them, by URLs of apprise, separated by commas or spaces"
    )
    notify_quiet_hours: str | None = Field(
        None, description="when only what cannot wait is told, such as 22:00-07:00"
    )
    notify_timezone: str = Field("UTC", description="the time zone of these hours, such as America/Sao_Paulo")
    notify_max_per_hour: PositiveInt = Field(
        20, description="notices that each URL gets in an hour at most; what is beyond is told later, in one"
    )
    notify_group_ms: Milliseconds = Field(
        60_000, description="what happens within this time is told in one notice, in milliseconds"
    )
    notify_texts: bool = Field(False, description="true: notices quote what customers write")

    # Retries: a customer is waiting
    message_max_retries: Annotated[int, Field(ge=0)] = Field(
        8, description="retries before a message is a dead letter"
    )
    message_min_backoff_ms: Milliseconds = Field(
        1_000, description="pause before the first retry, in milliseconds"
    )
    message_max_backoff_ms: Milliseconds = Field(
        60_000, description="longest pause between retries, in milliseconds"
    )
    message_max_age_ms: Milliseconds = Field(
        3_600_000, description="a message older than this is not answered any more, in milliseconds"
    )
    message_time_limit_ms: Milliseconds = Field(
        120_000, description="an actor is interrupted after this, in milliseconds"
    )

    # The dashboard
    dashboard_enabled: bool = Field(True, description="false: there is no dashboard")
    dashboard_password: SecretStr | None = Field(
        None,
        min_length=8,
        description="opens the dashboard to operators; without any, it answers only this machine's browsers",
    )
    dashboard_readonly_password: SecretStr | None = Field(
        None, min_length=8, description="opens the dashboard to viewers, who can change nothing"
    )
    dashboard_auth_header: str | None = Field(
        None,
        pattern=r"^[A-Za-z][A-Za-z0-9-]*$",
        description="the header in which a proxy names the user, such as X-Forwarded-User",
    )
    dashboard_trusted_proxies: str | None = Field(
        None, description="whose header is believed: addresses or networks, separated by commas"
    )
    dashboard_operators: str | None = Field(
        None, description="the proxy's users who may act, separated by commas; all of them when not set"
    )
    dashboard_audit_path: Path = Field(
        Path("audit.db"), description="the file in which every operator's action is written down"
    )

    # Running
    api_host: str = Field("127.0.0.1", description="the address the API listens on")
    api_port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="the port the API listens on")
    api_request_timeout_s: PositiveFloat = Field(
        15.0,
        description="how long a client may take to send a whole request, in seconds; then it is hung up on",
    )
    api_tokens_path: Path = Field(
        Path("api-tokens.json"),
        description="the file with the names, roles and digests of other programs' tokens for /api/v1",
    )
    api_v1_requests_per_minute: PositiveInt = Field(
        600, description="requests to /api/v1 that one token may make in a minute, in each API process"
    )
    worker_threads: Annotated[int, Field(ge=MIN_WORKER_THREADS, le=MAX_WORKER_THREADS)] = Field(
        8,
        description="messages one worker process handles at a time, beside calls in flight, 1 to 4096",
    )
    ai_calls_per_worker: Annotated[int, Field(ge=1, le=MAX_CALLS)] = Field(
        500, description="calls to the model that one worker process has in flight at most, 1 to 1000"
    )
    twilio_calls_per_worker: Annotated[int, Field(ge=1, le=MAX_CALLS)] = Field(
        50, description="calls to Twilio that one worker process has in flight at most, 1 to 1000"
    )
    workers: PositiveInt = Field(2, description="worker processes `recado up` keeps running")
    workers_max: PositiveInt | None = Field(
        None, description="worker processes it may start when messages wait; none beyond WORKERS when not set"
    )
    workers_target_wait_s: PositiveFloat = Field(
        10.0, description="wait of a message that makes it start more, up to WORKERS_MAX, in seconds"
    )
    worker_recycle_memory_mb: PositiveInt | None = Field(
        None, description="a worker that stays above this is replaced when it is done, in MB"
    )
    worker_memory_limit_mb: PositiveInt | None = Field(
        None, description="a worker above this is killed at once, as if it had crashed, in MB"
    )
    worker_recycle_age_s: PositiveInt | None = Field(
        None, description="a worker of this age is replaced, in seconds"
    )
    worker_recycle_jobs: PositiveInt | None = Field(
        None, description="a worker that has done so many messages is replaced"
    )
    heartbeat_interval_s: PositiveFloat = Field(
        1.0, description="how often `recado up` hears from each process, in seconds"
    )
    heartbeat_timeout_s: PositiveFloat = Field(
        10.0, description="a process that says nothing for so long is killed and replaced, in seconds"
    )
    hang_grace_s: PositiveFloat = Field(
        30.0, description="time beyond its limit after which a message counts as stuck, in seconds"
    )
    drain_timeout_s: PositiveFloat = Field(
        150.0, description="how long running messages may take to finish when `recado up` stops, in seconds"
    )
    run_directory: Path = Field(
        Path("run"), description="where `recado up` keeps its lock and its socket, beside nobody else's"
    )
    metrics_directory: Path = Field(
        Path("metrics"), description="where the processes of one machine keep what they count"
    )
    metrics_host: str = Field("127.0.0.1", description="the address a worker shows the machine's metrics on")
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        9191, description="the port for that; 0: workers show none, as under `recado up`, whose API does"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="least level that is logged"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: readable on a terminal, JSON otherwise"
    )
    tracing: bool = Field(
        False, description="send OpenTelemetry spans to a collector; the OTEL_ variables say where"
    )

    @field_validator("public_base_url", "ai_base_url", "twilio_api_base_url", "sqs_endpoint_url")
    @classmethod
    def _is_http_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = _split_url(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be a URL that begins with http:// or https://")
        if parts.query or parts.fragment:
            raise ValueError("must have no query and no fragment")
        return value.rstrip("/")

    @field_validator("redis_url")
    @classmethod
    def _is_redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        for url in _split(value):
            parts = _split_url(url)
            if parts.scheme not in {"redis", "rediss", "unix"} or not (parts.hostname or parts.path):
                raise ValueError("must be a URL that begins with redis://, rediss:// or unix://")
        return value

    @field_validator("notify_urls")
    @classmethod
    def _are_apprises(cls, value: SecretStr | None) -> SecretStr | None:
        """Their form only: to read them whole takes a library of 45 MB, which workers and the API load."""
        wrong = [
            f"number {number}"
            for number, url in enumerate(_urls(value), 1)
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", url)
        ]
        if wrong:
            raise ValueError(f"must be URLs such as json://host/path, and {', '.join(wrong)} is none")
        return value

    @field_validator("notify_quiet_hours")
    @classmethod
    def _are_hours(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", value):
            raise ValueError("must be two times of the day, such as 22:00-07:00")
        return value

    @field_validator("notify_timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"must be the IANA name of a time zone, and {value} is none") from None
        return value

    @field_validator("twilio_shared_keys")
    @classmethod
    def _have_secrets(cls, value: SecretStr | None) -> SecretStr | None:
        """An empty secret would let anybody sign."""
        for pair in _split(value):
            key_id, _, secret = pair.partition("=")
            if not key_id.strip() or not secret.strip():
                raise ValueError("must be key_id=secret, separated by commas, and one of them is not")
        return value

    @field_validator("twilio_subaccounts")
    @classmethod
    def _are_accounts(cls, value: SecretStr | None) -> SecretStr | None:
        for pair in _split(value):
            account, _, token = pair.partition("=")
            if not re.fullmatch(r"AC[0-9a-fA-F]{32}", account.strip()) or not token.strip():
                raise ValueError("must be account_sid=token, separated by commas, and one of them is not")
        return value

    @field_validator("twilio_messaging_services")
    @classmethod
    def _are_messaging_services(cls, value: str | None) -> str | None:
        for pair in _parts(value):
            address, _, service = pair.partition("=")
            if not address.strip() or not re.fullmatch(r"MG[0-9a-fA-F]{32}", service.strip()):
                raise ValueError("must be address=service_sid, separated by commas, and one of them is not")
        return value

    @field_validator("twilio_auth_token")
    @classmethod
    def _has_a_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _split(value):
            raise ValueError("must have at least one token, and has only commas")
        return value

    @field_validator("ai_system_prompt_path", "profiles_path")
    @classmethod
    def _is_readable(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"must be a file that can be read, and {value} is not")
        return value

    @field_validator("media_path")
    @classmethod
    def _is_no_file(cls, value: Path | None) -> Path | None:
        if value is not None and value.exists() and not value.is_dir():
            raise ValueError(f"must be a folder, and {value} is none")
        return value

    @field_validator("dashboard_trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str | None) -> str | None:
        for network in _parts(value):
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"must be addresses or networks such as 10.0.0.0/8: {error}") from error
        return value

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        problems = []
        if self.sends_through_twilio:
            for name in ("twilio_account_sid", "twilio_auth_token", "public_base_url"):
                if getattr(self, name) is None:
                    problems.append(
                        f"{name.upper()} is missing: replies cannot be sent through Twilio without it"
                    )
        if (self.twilio_api_key_sid is None) != (self.twilio_api_key_secret is None):
            missing = "SID" if self.twilio_api_key_sid is None else "SECRET"
            problems.append(f"TWILIO_API_KEY_{missing} is missing: the other half of the API key is set")
        problems += self._problems_of_the_model()
        if {"redis", "bullmq"} & {self.queue_backend, self.conversations_on} and self.redis_url is None:
            problems.append(
                "REDIS_URL is missing: QUEUE_BACKEND=redis, QUEUE_BACKEND=bullmq and "
                "CONVERSATIONS_BACKEND=redis need it"
            )
        problems += self._missing_extras() + self._problems_of_supervising()
        problems += self._problems_of_the_dashboard()
        if self.serving:
            named = {problem.partition(" ")[0] for problem in problems}
            problems += [more for more in self.problems_of_serving() if more.partition(" ")[0] not in named]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _problems_of_the_model(self) -> list[str]:
        needed_by = {}
        if self.ai_transcribe_model is not None:
            needed_by = dict.fromkeys(("ai_base_url", "ai_api_key"), "AI_TRANSCRIBE_MODEL")
        if self.ai_provider == "openai":
            needed_by |= dict.fromkeys(("ai_base_url", "ai_api_key", "ai_model"), "AI_PROVIDER=openai")
        return [
            f"{name.upper()} is missing: {why} needs it"
            for name, why in needed_by.items()
            if getattr(self, name) is None
        ]

    def _missing_extras(self) -> list[str]:
        wanted = (
            ("QUEUE_BACKEND=sqs", "sqs", "dramatiq_sqs", self.queue_backend == "sqs"),
            ("QUEUE_BACKEND=bullmq", "bullmq", "bullmq", self.queue_backend == "bullmq"),
            ("TRACING=true", "tracing", "opentelemetry.exporter.otlp.proto.http", self.tracing),
            ("NOTIFY_URLS", "notify", "apprise", self.notify_urls is not None),
        )
        return [
            f"{setting} needs what is not installed: pip install 'recado[{extra}]'"
            for setting, extra, module, is_wanted in wanted
            if is_wanted and not _is_installed(module)
        ]

    def _problems_of_supervising(self) -> list[str]:
        problems = []
        if self.workers_max is not None and self.workers_max < self.workers:
            problems.append(
                f"WORKERS_MAX is {self.workers_max}: it must be at least WORKERS ({self.workers})"
            )
        if self.heartbeat_timeout_s < 3 * self.heartbeat_interval_s:
            problems.append(
                f"HEARTBEAT_TIMEOUT_S is {self.heartbeat_timeout_s:g}: it must be at least three times "
                f"HEARTBEAT_INTERVAL_S ({self.heartbeat_interval_s:g})"
            )
        return problems

    def _problems_of_the_dashboard(self) -> list[str]:
        problems = []
        if self.dashboard_auth_header is not None and not self.trusted_proxies:
            problems.append(
                "DASHBOARD_TRUSTED_PROXIES is missing: anyone could send the header that "
                "DASHBOARD_AUTH_HEADER names"
            )
        password, readonly = self.dashboard_password, self.dashboard_readonly_password
        if password is not None and password == readonly:
            problems.append(
                "DASHBOARD_READONLY_PASSWORD is DASHBOARD_PASSWORD: viewers could do what operators can"
            )
        return problems

    @property
    def trusted_proxies(self) -> list[IPv4Network | IPv6Network]:
        """Where the dashboard believes the header that names the user."""
        return [ip_network(network) for network in _parts(self.dashboard_trusted_proxies)]

    @property
    def operators(self) -> frozenset[str]:
        """The proxy's users who may act. Empty: all of them."""
        return frozenset(_parts(self.dashboard_operators))

    @property
    def dashboard_secrets(self) -> list[str]:
        """What the dashboard's cookies are signed with, the same in every API process: a changed password
        signs everybody out."""
        passwords = [
            "" if password is None else password.get_secret_value()
            for password in (self.dashboard_password, self.dashboard_readonly_password)
        ]
        return [*passwords, *self.auth_tokens, *self.shared_keys.values()]

    @property
    def most_workers(self) -> int:
        """Worker processes there may be at most."""
        return self.workers if self.workers_max is None else self.workers_max

    @property
    def conversations_on(self) -> str:
        """The engine that keeps conversations."""
        if self.conversations_backend != "auto":
            return self.conversations_backend
        return CONVERSATIONS_BESIDE[self.queue_backend]

    @property
    def longest_run_s(self) -> float:
        """How long a message may run before its worker is taken to hang, in seconds."""
        return self.message_time_limit_ms / 1_000 + self.hang_grace_s

    @property
    def sentinel_addresses(self) -> list[tuple[str, int]]:
        """Where the Sentinels are."""
        pairs = [address.rpartition(":") for address in (self.redis_sentinels or "").split(",") if address]
        return [(host, int(port)) for host, _, port in pairs]

    @property
    def queue_address(self) -> str:
        """Where messages wait, fit for logs: no password."""
        if self.queue_backend == "sqlite":
            return str(self.queue_sqlite_db_path)
        if self.queue_backend == "sqs":
            place = self.sqs_endpoint_url or self.sqs_region or "the credentials' region"
            return f"{without_credentials(place)} {self.sqs_namespace}"
        hosts = [
            urlsplit(url).netloc.rpartition("@")[2] or urlsplit(url).path for url in _split(self.redis_url)
        ]
        name = self.bullmq_prefix if self.queue_backend == "bullmq" else self.redis_namespace
        return f"{','.join(hosts)} {name}"

    @property
    def sends_through_twilio(self) -> bool:
        """Whether replies really leave."""
        has_credentials = self.twilio_account_sid is not None
        return self.reply_sender == "twilio" or (self.reply_sender == "auto" and has_credentials)

    @property
    def has_twilio_credentials(self) -> bool:
        """Whether Twilio's REST API can be called."""
        has_key = self.twilio_api_key_sid is not None or bool(_split(self.twilio_auth_token))
        return self.twilio_account_sid is not None and has_key

    @property
    def auth_tokens(self) -> list[str]:
        """The tokens a signature may be made with, the primary first."""
        return [*_split(self.twilio_auth_token), *self.subaccount_tokens.values()]

    @property
    def shared_keys(self) -> dict[str, str]:
        """Secrets of shared keys, by key id."""
        pairs = [pair.partition("=") for pair in _split(self.twilio_shared_keys)]
        return {key_id.strip(): secret.strip() for key_id, _, secret in pairs}

    @property
    def twilio_credentials(self) -> tuple[str, str]:
        """User and password for Twilio's REST API: an API key, or the account and its auth token."""
        if self.twilio_api_key_sid is not None:
            return self.twilio_api_key_sid, self.required("twilio_api_key_secret")
        return self.required("twilio_account_sid"), _split(self.twilio_auth_token)[0]

    @property
    def subaccount_tokens(self) -> dict[str, str]:
        """Auth tokens of subaccounts, by account SID."""
        pairs = [pair.partition("=") for pair in _split(self.twilio_subaccounts)]
        return {account.strip(): token.strip() for account, _, token in pairs}

    @property
    def messaging_services(self) -> dict[str, str]:
        """SIDs of Messaging Services, by the address that sends through each."""
        pairs = [pair.partition("=") for pair in _parts(self.twilio_messaging_services)]
        return {address.strip(): service.strip() for address, _, service in pairs}

    @property
    def notify_url_list(self) -> list[str]:
        """The URLs of those who are told what needs a person."""
        return _urls(self.notify_urls)

    @property
    def reconcile_delays_ms(self) -> list[int]:
        return [int(seconds) * 1000 for seconds in self.reply_reconcile_delays_s.split(",")]

    def required(self, name: str) -> str:
        """A text setting that was checked to be there."""
        value = getattr(self, name)
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)

    def problems_of_serving(self) -> list[str]:
        """What only the API needs, and is missing."""
        problems = []
        if self.twilio_validate_signatures:
            if not self.auth_tokens and not self.shared_keys:
                problems.append(
                    "TWILIO_AUTH_TOKEN is missing: without it no webhook's signature can be checked "
                    "(for development only, TWILIO_VALIDATE_SIGNATURES=false switches the check off)"
                )
            if self.public_base_url is None:
                problems.append("PUBLIC_BASE_URL is missing: signatures are made over it")
        return problems

    def for_the_api(self) -> Self:
        """Check what only the API needs.

        Raises:
          SettingsError: naming everything that is missing.
        """
        if problems := self.problems_of_serving():
            raise SettingsError(_listed(problems))
        return self


class _SettingsOfTheApi(Settings):
    serving: ClassVar[bool] = True


@cache
def load_settings(*, serving: bool = False) -> Settings:
    """Read the settings, once per process.

    Parameters:
      serving: check what the API needs, too.

    Raises:
      SettingsError: listing every wrong or missing value.
    """
    kind = _SettingsOfTheApi if serving else Settings
    try:
        return kind()
    except ValidationError as error:
        raise SettingsError(_listed(_all_problems(kind, error))) from None
    except UnicodeDecodeError as error:
        problem = f"{DOTENV} is no UTF-8 text: {error.reason} at byte {error.start}. Save it as UTF-8"
        raise SettingsError(_listed([problem])) from None


def _all_problems(kind: type[Settings], error: ValidationError) -> list[str]:
    """Wrong values keep pydantic from looking at what belongs together: look at that without them."""
    wrong = {str(detail["loc"][0]).lower() for detail in error.errors() if detail["loc"]}
    problems = _explain(error)
    if not wrong:
        return problems
    try:
        kind(**{name: Settings.model_fields[name].default for name in wrong})
    except ValidationError as more:
        missing = tuple(f"{name.upper()} is missing" for name in wrong)
        problems += [problem for problem in _explain(more) if not problem.startswith(missing)]
    return problems


def _explain(error: ValidationError) -> list[str]:
    problems: list[str] = []
    for detail in error.errors(include_input=False, include_url=False):
        message = detail["msg"].removeprefix("Value error, ")
        if not detail["loc"]:
            problems += message.splitlines()
            continue
        field = str(detail["loc"][0]).lower()
        meaning = Settings.model_fields[field].description if field in Settings.model_fields else ""
        problems.append(f"{field.upper()}: {message} ({meaning})")
    return problems


def _listed(problems: list[str]) -> str:
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return (
        f"Recado cannot start, its settings need attention:\n{lines}\n"
        "Every setting is explained in .env.example."
    )


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it is a part of
        return False


def _split(secret: SecretStr | None) -> list[str]:
    return _parts(None if secret is None else secret.get_secret_value())


def _parts(listed: str | None) -> list[str]:
    """What is separated by commas."""
    return [part.strip() for part in (listed or "").split(",") if part.strip()]


def _urls(secret: SecretStr | None) -> list[str]:
    """Split before each scheme: a URL may have commas of its own."""
    listed = "" if secret is None else secret.get_secret_value()
    return [url for url in re.split(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)", listed.strip(" ,\t\n")) if url]


__all__ = ["Settings", "SettingsError", "load_settings"]


def _split_url(url: str) -> SplitResult:
    """Split a URL. The error does not quote it, as urllib's does: a part of a password may be in there.

    Raises:
      ValueError: it is none, or its port is no number.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # read lazily, and refused only then
    except ValueError:
        raise ValueError(_ESCAPE) from None
    user_info, at, _ = parts.netloc.rpartition("@")
    is_cut_off = not at and ":" in parts.netloc and "@" in parts.path  # such as user:12/34@host
    if is_cut_off or _NOT_IN_USER_INFO.search(user_info):
        raise ValueError(_ESCAPE)
    return parts


#: What is not read as a part of user and password when those are hidden before a URL is printed.
_NOT_IN_USER_INFO = re.compile(r"[\s/?#\"'<>\\]")

_ESCAPE = (
    "must be a URL whose host and port can be read; in a user or password, / ? # @ : [ ] are written as "
    "%2F %3F %23 %40 %3A %5B %5D, and \" ' < > \\ and a space as %22 %27 %3C %3E %5C %20"
)

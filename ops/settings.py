"""Every setting of Recado, read from the environment (and `.env`) once, at the edge."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

Milliseconds = Annotated[int, Field(ge=0)]


class SettingsError(Exception):
    """Settings are wrong; the message lists every one of them, and what it should be."""


class Settings(BaseSettings):
    """All settings. Each field's environment variable is its name in capitals."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # an error must not repeat a secret
    )

    #: Whether what only the API needs has to be there, too.
    serving: ClassVar[bool] = False

    # The queue
    queue_backend: Literal["sqlite"] = Field("sqlite", description="where messages wait")
    queue_sqlite_db_path: Path = Field(Path("queue.db"), description="the queue's database file")
    queue_max_deliveries: Annotated[int, Field(ge=2)] = Field(  # what counted on it is told at its second run
        5, description="workers that may die under a message before it becomes a dead letter; at least 2"
    )
    queue_max_message_bytes: PositiveInt = Field(
        1024 * 1024, description="largest message accepted, in bytes"
    )
    conversations_sqlite_db_path: Path = Field(
        Path("conversations.db"), description="the conversations' database file"
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
    reply_fallback_text: str | None = Field(
        None, description="what the customer is told when no answer could be produced; empty: nothing"
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
        "package.module:factory is a responder of your own",
    )
    ai_base_url: str | None = Field(None, description="the endpoint, such as https://api.openai.com/v1")
    ai_api_key: SecretStr | None = Field(None, description="the endpoint's key")
    ai_model: str | None = Field(None, description="the model's name at the endpoint")
    ai_system_prompt_path: Path | None = Field(None, description="a text file with the system prompt")
    ai_connect_timeout_s: PositiveFloat = Field(5.0, description="longest wait for a connection, in seconds")
    ai_timeout_s: PositiveFloat = Field(60.0, description="longest wait for an answer, in seconds")
    ai_max_tokens: PositiveInt = Field(500, description="longest answer, in the model's tokens")
    ai_history_messages: PositiveInt = Field(20, description="earlier messages the model is shown, at most")
    ai_history_characters: PositiveInt = Field(12_000, description="characters of them, at most")
    echo_delay_s: float = Field(
        0.0, ge=0, description="how long the echo responder pretends to think, in seconds"
    )

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

    # Running
    api_host: str = Field("127.0.0.1", description="the address the API listens on")
    api_port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="the port the API listens on")
    worker_threads: PositiveInt = Field(8, description="messages one worker process handles at a time")
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="least level that is logged"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: readable on a terminal, JSON otherwise"
    )

    @field_validator("public_base_url", "ai_base_url", "twilio_api_base_url")
    @classmethod
    def _is_http_url(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("must be a URL that begins with http:// or https://")
        _ = parts.port  # raises ValueError when it is none
        if parts.query or parts.fragment:
            raise ValueError("must have no query and no fragment")
        return value.rstrip("/")

    @field_validator("twilio_shared_keys")
    @classmethod
    def _have_secrets(cls, value: SecretStr | None) -> SecretStr | None:
        """An empty secret would let anybody sign."""
        for pair in _split(value):
            key_id, _, secret = pair.partition("=")
            if not key_id.strip() or not secret.strip():
                raise ValueError("must be key_id=secret, separated by commas, and one of them is not")
        return value

    @field_validator("twilio_auth_token")
    @classmethod
    def _has_a_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _split(value):
            raise ValueError("must have at least one token, and has only commas")
        return value

    @field_validator("ai_system_prompt_path")
    @classmethod
    def _is_readable(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"must be a file that can be read, and {value} is not")
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
        if self.ai_provider == "openai":
            for name in ("ai_base_url", "ai_api_key", "ai_model"):
                if getattr(self, name) is None:
                    problems.append(f"{name.upper()} is missing: AI_PROVIDER=openai needs it")
        if self.serving:
            named = {problem.partition(" ")[0] for problem in problems}
            problems += [more for more in self.problems_of_serving() if more.partition(" ")[0] not in named]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def sends_through_twilio(self) -> bool:
        """Whether replies really leave."""
        has_credentials = self.twilio_account_sid is not None
        return self.reply_sender == "twilio" or (self.reply_sender == "auto" and has_credentials)

    @property
    def auth_tokens(self) -> list[str]:
        """The tokens a signature may be made with, the primary first."""
        return _split(self.twilio_auth_token)

    @property
    def shared_keys(self) -> dict[str, str]:
        """Secrets of shared keys, by key id."""
        pairs = [pair.partition("=") for pair in _split(self.twilio_shared_keys)]
        return {key_id.strip(): secret.strip() for key_id, _, secret in pairs}

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


def _split(secret: SecretStr | None) -> list[str]:
    return (
        []
        if secret is None
        else [part.strip() for part in secret.get_secret_value().split(",") if part.strip()]
    )


__all__ = ["Settings", "SettingsError", "load_settings"]

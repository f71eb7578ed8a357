"""The model that answers, what it costs, and what it is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    field_validator,
)

from .section import Section, http_url


class ModelPrice(BaseModel):
    """What a million tokens of a model cost."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    input: NonNegativeFloat
    output: NonNegativeFloat


class ModelSettings(Section):
    """The model, its prices and budget, and attachments."""

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
    ai_keep_prompts: bool = Field(
        False, description="true: what the model was asked is kept with each reply, for people to look at"
    )
    echo_delay_s: float = Field(
        0.0, ge=0, description="how long the echo responder pretends to think, in seconds"
    )
    profiles_path: Path | None = Field(
        None, description="a TOML file of addresses that have a prompt, a model, texts or hours of their own"
    )

    # What it costs
    ai_prices: dict[str, ModelPrice] | None = Field(
        None,
        description="what a million tokens of each model cost, as JSON, such as "
        '{"gpt-5-mini": {"input": 0.25, "output": 2.0}}',
    )
    segment_prices: dict[str, NonNegativeFloat] | None = Field(
        None,
        description="what the channel takes for each segment, by the prefix of the address, as JSON, such as "
        '{"sms": 0.0083, "whatsapp": 0.005}',
    )
    currency: str = Field(
        "USD", pattern=r"^[A-Z]{3}$", description="the currency of all prices: three capitals, such as BRL"
    )
    budget_per_day: PositiveFloat | None = Field(
        None,
        description="what all answers of a day, in UTC, may cost; then a person answers until the next day; "
        "unset: no limit",
    )
    budget_tokens_per_day: PositiveInt | None = Field(
        None, description="how many tokens they may take, likewise, for models without a price"
    )
    budget_warn_share: Annotated[float, Field(gt=0, le=1)] = Field(
        0.8, description="people are told when this share of the day's budget is used, up to 1"
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

    @field_validator("ai_base_url")
    @classmethod
    def _is_url_of_the_model(cls, value: str | None) -> str | None:
        return http_url(value)

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

    def problems_of_the_model(self) -> list[str]:
        """What is missing for the model that was chosen."""
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

    def problems_of_the_budget(self) -> list[str]:
        """What keeps the budget from being counted."""
        if self.budget_per_day is None or self.ai_prices or self.segment_prices:
            return []
        missing = "AI_PRICES is missing: without a price nothing counts towards BUDGET_PER_DAY"
        return [f"{missing} (BUDGET_TOKENS_PER_DAY needs none)"]

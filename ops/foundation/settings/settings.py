"""All settings, and what holds only of several of them together."""

from __future__ import annotations

from importlib.util import find_spec
from typing import ClassVar, Self

from pydantic import model_validator
from pydantic_settings import SettingsConfigDict

from .engines import EngineSettings
from .events import EventSettings
from .model import ModelSettings
from .people import PeopleSettings
from .processes import ProcessSettings
from .replies import ReplySettings
from .twilio import TwilioSettings

#: The file beside the environment, in the current directory.
DOTENV = ".env"


# The last base's fields come first.
class Settings(
    ProcessSettings,
    EventSettings,
    PeopleSettings,
    ModelSettings,
    ReplySettings,
    TwilioSettings,
    EngineSettings,
):
    """All settings. Each field's environment variable is its name in capitals."""

    model_config = SettingsConfigDict(
        env_file=DOTENV,
        env_ignore_empty=True,
        env_parse_none_str="null",  # switches off what has a default: an empty value counts as not set
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,  # an error must not repeat a secret
    )

    #: Whether what only the API needs has to be there, too.
    serving: ClassVar[bool] = False

    @model_validator(mode="after")
    def _belong_together(self) -> Self:
        problems = [
            *self._problems_of_sending(),
            *self.problems_of_twilio(),
            *self.problems_of_the_model(),
            *self.problems_of_the_budget(),
            *self.problems_of_the_engine(),
            *self._missing_extras(),
            *self.problems_of_supervising(),
            *self.problems_of_the_dashboard(),
            *self._problems_of_trying(),
            *self.problems_of_events(),
        ]
        if self.serving:
            named = {problem.partition(" ")[0] for problem in problems}
            problems += [more for more in self.problems_of_serving() if more.partition(" ")[0] not in named]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    def _problems_of_sending(self) -> list[str]:
        needed = ("twilio_account_sid", "twilio_auth_token", "public_base_url")
        return [
            f"{name.upper()} is missing: replies cannot be sent through Twilio without it"
            for name in needed
            if self.sends_through_twilio and getattr(self, name) is None
        ]

    def _problems_of_trying(self) -> list[str]:
        """What does not go with the page that plays a customer."""
        problems = []
        if self.dashboard_try_it and self.sends_through_twilio:
            problems.append(
                "DASHBOARD_TRY_IT is true, and replies leave through Twilio: a real customer could get what "
                "is only tried (set REPLY_SENDER=console, or leave DASHBOARD_TRY_IT out)"
            )
        if self.dashboard_try_it and self.api_port == 0:
            problems.append("API_PORT is 0: DASHBOARD_TRY_IT needs a port at which workers find the API")
        return problems

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

    @property
    def sends_through_twilio(self) -> bool:
        """Whether replies really leave."""
        has_credentials = self.twilio_account_sid is not None
        return self.reply_sender == "twilio" or (self.reply_sender == "auto" and has_credentials)

    @property
    def dashboard_secrets(self) -> list[str]:
        """What the dashboard's cookies are signed with, the same in every API process: a changed password
        signs everybody out."""
        passwords = [
            "" if password is None else password.get_secret_value()
            for password in (self.dashboard_password, self.dashboard_readonly_password)
        ]
        return [*passwords, *self.auth_tokens, *self.shared_keys.values()]


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:  # not even what it is a part of
        return False

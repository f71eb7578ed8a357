"""Makes profiles of the tables of a file, and collects what is wrong in them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from dotenv import dotenv_values
from pydantic import SecretStr, ValidationError
from pydantic_settings import PydanticBaseSettingsSource

from ops.foundation.settings import DOTENV, Settings

from ..responders.named import UnknownName, import_named
from .profile import Profile
from .table import IN_PLACE_OF, ProfileTable, explain

#: The settings that a profile may have other values for, and its keys for them.
KEY_OF = {setting: key for key, setting in IN_PLACE_OF.items()} | {"ai_api_key": "api_key_env"}


class _OverriddenSettings(Settings):
    """Settings that are all given: neither the environment nor `.env` adds to them."""

    @classmethod
    def settings_customise_sources(  # type: ignore[override]  # of the sources only one is wanted
        cls, *_: Any, init_settings: PydanticBaseSettingsSource, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


class Reading:
    """Reads the tables of one file.

    Parameters:
      settings: what holds for all that a profile does not say.
      directory: the file's, to which the paths in it are relative.

    Attributes:
      problems: what was wrong in the tables read so far.
    """

    def __init__(self, settings: Settings, directory: Path) -> None:
        self._settings = settings
        self._directory = directory
        self._environment = {**dotenv_values(DOTENV), **os.environ}
        self.problems: list[str] = []

    def profile(self, name: str, table: Any) -> Profile:
        """Make a profile of a table. It lacks what is wrong, which `problems` has."""
        if not isinstance(table, Mapping):
            self.problems.append(f"{name} stands above the first profile: each begins with [its name]")
            return Profile(name, self._settings)
        found: list[str] = []
        values = {
            IN_PLACE_OF[key]: _or_nothing(key, each) for key, each in table.items() if key in IN_PLACE_OF
        }
        own = self._own({key: each for key, each in table.items() if key not in IN_PLACE_OF}, found)
        found += _textless(table.get("hours"))
        values["ai_api_key"] = self._api_key(table, own, found)
        prompt = self._prompt(table, values, found)
        profile = Profile(
            name=name,
            settings=self._settings_with(values, found),
            addresses=tuple(own.addresses),
            system_prompt=prompt,
            language=own.language,
            hours=None if own.hours is None else own.hours.as_hours(),
            api_key_env=own.api_key_env,
        )
        found += _unimportable(table.get("ai_provider"))
        self.problems += [f"[{name}] {problem}" for problem in found]
        return profile

    def _own(self, table: Mapping[str, Any], found: list[str]) -> ProfileTable:
        """Read the keys that stand in the place of no setting; those that are right, where some are wrong."""
        try:
            return ProfileTable.model_validate(table)
        except ValidationError as error:
            found += explain(error)
            wrong = {detail["loc"][0] for detail in error.errors()}
            right = {key: each for key, each in table.items() if key not in wrong | {"addresses", "hours"}}
            listed = table.get("addresses")
            addresses = [each for each in listed if isinstance(each, str)] if isinstance(listed, list) else []
            return ProfileTable.model_construct(addresses=addresses, **right)

    def _api_key(self, table: Mapping[str, Any], own: ProfileTable, found: list[str]) -> SecretStr | None:
        """Return the key of the profile's endpoint. That of the settings is sent to no other endpoint."""
        settings, name = self._settings, own.api_key_env
        if name is not None:
            key = self._environment.get(name)
            if not key:
                found.append(f"api_key_env: {name} is set neither in the environment nor in {DOTENV}")
            return SecretStr(key or "missing")
        url, asks_a_model = table.get("base_url"), table.get("ai_provider", settings.ai_provider) == "openai"
        is_elsewhere = isinstance(url, str) and url.rstrip("/") != settings.ai_base_url
        if asks_a_model and is_elsewhere and "api_key_env" not in table:
            found.append(
                "api_key_env is missing: name the variable that has the key of base_url. AI_API_KEY is sent "
                'only to AI_BASE_URL, unless api_key_env = "AI_API_KEY" says so'
            )
            return SecretStr("missing")
        return settings.ai_api_key

    def _prompt(self, table: Mapping[str, Any], values: dict[str, Any], found: list[str]) -> str | None:
        """Return the system prompt, from the table or from its file, and make the path of that absolute."""
        text, path = table.get("system_prompt"), table.get("system_prompt_path")
        provider = str(table.get("ai_provider", self._settings.ai_provider))
        if text is not None and path is not None:
            found.append("system_prompt and system_prompt_path are both there: leave one of them out")
        if text is not None and ":" in provider:
            found.append(
                f"system_prompt is not handed to {provider}: use system_prompt_path, which its factory finds "
                "as settings.ai_system_prompt_path"
            )
        if text is not None:
            values["ai_system_prompt_path"] = None
        if not isinstance(path, str):
            return text if isinstance(text, str) else None
        values["ai_system_prompt_path"] = self._directory / path
        try:
            return (self._directory / path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            del values["ai_system_prompt_path"]
            why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            found.append(f"system_prompt_path: {self._directory / path} cannot be read: {why}")
            return None

    def _settings_with(self, values: Mapping[str, Any], found: list[str]) -> Settings:
        """Return the settings with other values in their place, each checked as that setting is."""
        try:
            return _OverriddenSettings(**{**dict(self._settings), **values})
        except ValidationError as error:
            details = error.errors(include_input=False, include_url=False)
        for detail in details:
            message = detail["msg"].removeprefix("Value error, ")
            named = [KEY_OF.get(str(part), str(part)) for part in detail["loc"]]
            meaning = Settings.model_fields[str(detail["loc"][0])].description if named else ""
            found += [f"{named[0]}: {message} ({meaning})"] if named else map(_by_key, message.splitlines())
        wrong = {str(detail["loc"][0]) for detail in details if detail["loc"]}
        if wrong:  # what belongs together is looked at only where no single value is wrong
            more: list[str] = []
            self._settings_with({name: each for name, each in values.items() if name not in wrong}, more)
            missing = tuple(f"{KEY_OF[name]} is missing" for name in wrong)
            found += [problem for problem in more if not problem.startswith(missing)]
        return self._settings


def _or_nothing(key: str, value: Any) -> Any:
    """Read an empty text as none: the contact is told nothing. A caller always hears something."""
    return None if value == "" and key.endswith("_text") and key != "voice_text" else value


def _by_key(problem: str) -> str:
    """Name the key of a profile, too, where a setting is missing."""
    setting, is_missing, why = problem.partition(" is missing")
    key = KEY_OF.get(setting.lower())
    return problem if key is None or not is_missing else f"{key} is missing, and so is {setting}{why}"


def _textless(hours: Any) -> Iterator[str]:
    if isinstance(hours, Mapping) and hours.get("closed_mode", "text") == "text":
        text = hours.get("closed_text", "")
        if isinstance(text, str) and not text.strip():
            yield 'hours.closed_text is missing: contacts are sent it, unless closed_mode = "assistant"'


def _unimportable(provider: Any) -> Iterator[str]:
    if isinstance(provider, str) and ":" in provider:
        try:
            import_named(provider)
        except UnknownName as error:
            yield f"ai_provider: {error}"

"""Reads the settings, and says all that is wrong with them at once."""

from __future__ import annotations

from functools import cache
from typing import ClassVar

from pydantic import ValidationError

from .settings import DOTENV, Settings


class SettingsError(Exception):
    """Settings are wrong; the message lists every one of them, and what it should be."""


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


def check_for_the_api(settings: Settings) -> Settings:
    """Check what only the API needs; return the settings.

    Raises:
      SettingsError: naming everything that is missing.
    """
    if problems := settings.problems_of_serving():
        raise SettingsError(_listed(problems))
    return settings


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

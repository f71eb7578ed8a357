"""What every section of the settings is made of, and how lists and URLs are written in a setting."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import SplitResult, urlsplit

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

Milliseconds = Annotated[int, Field(ge=0)]

#: What is not read as a part of user and password when those are hidden before a URL is printed.
_NOT_IN_USER_INFO = re.compile(r"[\s/?#\"'<>\\]")

_ESCAPE = (
    "must be a URL whose host and port can be read; in a user or password, / ? # @ : [ ] are written as "
    "%2F %3F %23 %40 %3A %5B %5D, and \" ' < > \\ and a space as %22 %27 %3C %3E %5C %20"
)


class Section(BaseSettings):
    """Some of the settings. Each field's environment variable is its name in capitals."""

    # A section is a part of `Settings`, and never read by itself: its validators need not be built.
    model_config = SettingsConfigDict(defer_build=True)

    def required(self, name: str) -> str:
        """A text setting that was checked to be there."""
        value = getattr(self, name)
        return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def listed(secret: SecretStr | None) -> list[str]:
    """Split a secret that is several, separated by commas."""
    return parts(None if secret is None else secret.get_secret_value())


def parts(listed: str | None) -> list[str]:
    """Split what is several, separated by commas."""
    return [part.strip() for part in (listed or "").split(",") if part.strip()]


def pairs(texts: list[str]) -> dict[str, str]:
    """What is written as name=value."""
    split = (text.partition("=") for text in texts)
    return {name.strip(): value.strip() for name, _, value in split}


def urls(secret: SecretStr | None) -> list[str]:
    """Split before each scheme: a URL may have commas of its own."""
    listed = "" if secret is None else secret.get_secret_value()
    return [url for url in re.split(r"[\s,]+(?=[A-Za-z][A-Za-z0-9+.-]*://)", listed.strip(" ,\t\n")) if url]


def http_url(value: str | None) -> str | None:
    """Check the URL of a service; return it without a slash at its end.

    Raises:
      ValueError: it is none.
    """
    if value is None:
        return None
    split = split_url(value)
    if split.scheme not in {"http", "https"} or not split.hostname:
        raise ValueError("must be a URL that begins with http:// or https://")
    if split.query or split.fragment:
        raise ValueError("must have no query and no fragment")
    return value.rstrip("/")


def split_url(url: str) -> SplitResult:
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

"""Reads the file of profiles, and lists all that is wrong in it at once."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from ops.foundation.settings import Settings, SettingsError

from .profile import Profile, Profiles
from .reading import Reading


class ProfilesError(SettingsError):
    """The file of profiles is wrong; the message lists everything that is, and what it should be."""


def load_profiles(settings: Settings, path: Path | None = None) -> Profiles:
    """Read the profiles. Without a file there are none.

    Parameters:
      settings: what holds for all that a profile does not say.
      path: the file; that of the settings when not given.

    Raises:
      ProfilesError: listing everything that is wrong in it.
    """
    path = path or settings.profiles_path
    if path is None:
        return Profiles()
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _error(path, [f"it cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise _error(path, [f"it is no UTF-8 text: {error.reason} at byte {error.start}"]) from error
    except tomllib.TOMLDecodeError as error:
        raise _error(path, [f"it is no TOML: {error}"]) from error
    reading = Reading(settings, path.parent)
    profiles = [reading.profile(name, table) for name, table in tables.items()]
    problems = [*reading.problems, *_shared_addresses(profiles)]
    if not tables:
        problems.append("there is no profile in it: each is a table such as [clinic], with its addresses")
    if problems:
        raise _error(path, problems)
    return Profiles(profiles)


def _shared_addresses(profiles: Sequence[Profile]) -> Iterator[str]:
    """Yield each address that is there twice."""
    seen: dict[str, str] = {}
    for profile in profiles:
        for address in profile.addresses:
            if address in seen:
                where = f"in [{seen[address]}] already" if seen[address] != profile.name else "there twice"
                yield f"[{profile.name}] addresses: {address} is {where}"
            seen.setdefault(address, profile.name)


def _error(path: Path, problems: Sequence[str]) -> ProfilesError:
    lines = "\n".join(f"  - {problem}" for problem in problems)
    return ProfilesError(
        f"Recado cannot start with {path}, its profiles need attention:\n{lines}\n"
        "Every key is explained in docs/profiles.md."
    )

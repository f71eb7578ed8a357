"""A profile: what holds for some of our addresses in the place of the settings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ops.foundation.settings import Settings

from .opening_hours import OpeningHours


@dataclass(frozen=True, slots=True)
class Profile:
    """The assistant of some of our addresses.

    Attributes:
      name: its name in the file; empty for that of all addresses that are in no profile.
      settings: Recado's, with what the profile says in their place.
      addresses: whom it answers for, as `Profiles.find` compares them.
      system_prompt: the text; None for that of the settings.
      language: the BCP 47 tag of the language that it answers in; None where it is left to the assistant.
      hours: when it is open; None for always.
      api_key_env: the name of the variable that has its key at the endpoint; None for that of the settings.
    """

    name: str
    settings: Settings
    addresses: tuple[str, ...] = ()
    system_prompt: str | None = None
    language: str | None = None
    hours: OpeningHours | None = None
    api_key_env: str | None = None


class Profiles:
    """The profiles there are.

    Parameters:
      profiles: no address is in two of them.
    """

    def __init__(self, profiles: Iterable[Profile] = ()) -> None:
        self._profiles = tuple(profiles)
        self._by_address = {address: each for each in self._profiles for address in each.addresses}

    def __iter__(self) -> Iterator[Profile]:
        return iter(self._profiles)

    def find(self, address: str, service: str | None = None) -> Profile | None:
        """Return the profile of an address; None when it is in no profile.

        The address as it is comes first, then its number without a channel, then the service.

        Parameters:
          address: one of ours, as the channel writes it.
          service: the set of addresses through which a message came in, if it came through one.
        """
        for known in (address, address.rpartition(":")[2], service or ""):
            if known in self._by_address:
                return self._by_address[known]
        return None

"""Fetching what contacts attach, from Twilio: from no other place, and never more than a bound."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import IO, NamedTuple

import httpx

from ops.foundation.private_files import private

from ...conversation import UNKNOWN_TYPE, FetchedMedia, Media, MediaError
from ...event_loop import event_loop
from ...retry_after import retry_after_ms
from .hosts import MEDIA_CONTENT, TWILIO_API

#: The path of an attachment's resource (https://www.twilio.com/docs/messaging/api/media-resource).
_RESOURCE = re.compile(
    r"/2010-04-01/Accounts/(?P<account>[A-Za-z0-9]+)/Messages/[A-Za-z0-9]+/Media/[A-Za-z0-9]+"
)

#: How many attachments one process fetches at a time. Others wait, within their time.
AT_ONCE = 20

#: How often the API's answer and that of the places it leads to may lead on.
MAX_REDIRECTS = 3

#: Answers after which it is worth trying again. Twilio may send the webhook before the attachment is there,
#: so 404 is one of them while the message is new.
PASSING = frozenset({429, 500, 502, 503, 504})

#: The pauses before another try, in seconds. An attachment that is not there yet comes within a second or
#: three.
PAUSES_S = (0.5, 1.0, 2.0, 3.0)

LEADS_NOWHERE = "Twilio leads to an address that is none"

#: Types that say nothing: what was announced in the webhook counts then.
_SAYS_NOTHING = frozenset({"", UNKNOWN_TYPE, "binary/octet-stream"})

#: The first part of types that are filed under another one.
_FAMILIES = {"application/ogg": "audio"}


class _Wanted(NamedTuple):
    """One attachment that is to be fetched."""

    url: str
    credentials: tuple[str, str]
    media: Media
    file: IO[bytes]
    timeout_s: float
    is_new: bool


class TwilioMedia:
    """Fetches attachments of messages that Twilio brought.

    The address of an attachment comes with a webhook. Nothing of it is used but the path, and that has to be
    the one of an attachment of the account that received the message: the credentials go to the API that is
    set, and to no other place. Where the API leads to, none are sent.

    Parameters:
      credentials_of: user and password for an account.
      api_base_url: where the API is.
      max_bytes: of one attachment.
      content: what the addresses begin with to which the API may lead, beside its own.
    """

    def __init__(
        self,
        credentials_of: Callable[[str], tuple[str, str]],
        *,
        api_base_url: str = TWILIO_API,
        max_bytes: int = 16 * 1024 * 1024,
        content: Sequence[str] = MEDIA_CONTENT,
    ) -> None:
        self._credentials_of = credentials_of
        self._api_base_url = api_base_url
        self._max_bytes = max_bytes
        self._content = (*content, f"{api_base_url}/")
        self._at_once = asyncio.Semaphore(AT_ONCE)

    def fetch(
        self, media: Media, *, account: str, into: Path, timeout_s: float, is_new: bool
    ) -> FetchedMedia:
        """Fetch an attachment into a new file, which is gone again when that fails. As of `MediaSource`."""
        url = self._api_base_url + self._path(media.url, account)
        # A coroutine, because only that bounds the time of all of it: names, headers and body.
        try:
            with open(into, "wb", opener=private) as file:
                wanted = _Wanted(url, self._credentials_of(account), media, file, timeout_s, is_new)
                content_type = event_loop.run(self._within_time(wanted))
                return FetchedMedia(into, content_type, file.tell())
        except BaseException as error:
            into.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise MediaError(f"it cannot be written to the disk: {error.strerror}") from error
            raise

    def _path(self, url: str, account: str) -> str:
        """Return the path of an attachment's address.

        Raises:
          MediaError: it is no attachment of that account.
        """
        for base in (TWILIO_API, self._api_base_url):
            found = _RESOURCE.fullmatch(url.removeprefix(base)) if url.startswith(base) else None
            if found is not None and found["account"] == account:
                return found[0]
        raise MediaError("its address is none of Twilio's for this account")

    async def _within_time(self, wanted: _Wanted) -> str:
        try:
            async with asyncio.timeout(wanted.timeout_s), self._at_once:
                return await self._retrying(wanted)
        except TimeoutError as error:
            raise MediaError(f"it took longer than {wanted.timeout_s:.0f} s") from error

    async def _retrying(self, wanted: _Wanted) -> str:
        clock = asyncio.get_running_loop().time
        until = clock() + wanted.timeout_s
        for least_pause_s in PAUSES_S:
            try:
                return await self._follow(wanted)
            except _Passing as error:
                pause_s = max(least_pause_s, error.pause_s)
                if (error.status == 404 and not wanted.is_new) or clock() + pause_s > until:
                    raise
                await asyncio.sleep(pause_s)
            wanted.file.seek(0)
            wanted.file.truncate()
        return await self._follow(wanted)

    async def _follow(self, wanted: _Wanted) -> str:
        """Ask the API, and then the places that it leads to, without credentials. Return the type."""
        url = wanted.url
        try:
            async with httpx.AsyncClient(
                verify=self._tls, timeout=wanted.timeout_s, headers={"Accept-Encoding": "identity"}
            ) as client:
                for hop in range(MAX_REDIRECTS + 1):
                    auth = wanted.credentials if hop == 0 else None
                    async with client.stream("GET", url, auth=auth) as answer:
                        if not answer.has_redirect_location:
                            return await self._receive(answer, wanted)
                        url = self._led_to(answer)
        except httpx.TransportError as error:
            if isinstance(error.__context__, httpx.InvalidURL):  # httpx reads the address that it is led to
                raise MediaError(LEADS_NOWHERE) from error
            raise _Passing(f"the connection broke: {type(error).__name__}") from error
        raise MediaError("it is led from place to place")

    def _led_to(self, answer: httpx.Response) -> str:
        """Return where an answer leads to.

        The library that makes the request reads the address, and what is compared is what the library made of
        it: a host that is written in another way than those that are known is another one.
        """
        try:
            url = str(answer.url.join(answer.headers["Location"]))
        except httpx.InvalidURL as error:
            raise MediaError(LEADS_NOWHERE) from error
        if not url.startswith(self._content):
            raise MediaError("Twilio leads to a place that is not known to be its own")
        return url

    async def _receive(self, answer: httpx.Response, wanted: _Wanted) -> str:
        """Write the content to the file, no more than the bound of it, and return its type."""
        if answer.status_code != 200:
            message = f"Twilio answered {answer.status_code}"
            if answer.status_code in PASSING or answer.status_code == 404:
                pause_ms = retry_after_ms(answer.headers.get("Retry-After")) or 0
                raise _Passing(message, status=answer.status_code, pause_s=pause_ms / 1000)
            raise MediaError(message)
        content_type = _type_of(wanted.media, answer)
        if answer.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise MediaError("it came compressed")  # a few bytes can become gigabytes
        too_large = MediaError(f"it is larger than {self._max_bytes} bytes")
        announced = answer.headers.get("Content-Length", "")
        if re.fullmatch("[0-9]{1,18}", announced) and int(announced) > self._max_bytes:
            raise too_large
        received = 0
        async for chunk in answer.aiter_raw():
            received += len(chunk)
            if received > self._max_bytes:
                raise too_large
            wanted.file.write(chunk)
        if not received:
            raise MediaError("it is empty")
        return content_type

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return httpx.create_ssl_context()


class _Passing(MediaError):
    """A failure that may pass.

    Parameters:
      message: what happened.
      status: of the answer; None where there was none.
      pause_s: how long to wait at least, in seconds.
    """

    def __init__(self, message: str, *, status: int | None = None, pause_s: float = 0.0) -> None:
        super().__init__(message)
        self.status = status
        self.pause_s = pause_s


def _type_of(media: Media, answer: httpx.Response) -> str:
    """Return the type of what comes.

    Raises:
      MediaError: it is of another kind than the webhook announced, such as a page that says what went wrong.
    """
    comes = Media(answer.headers.get("Content-Type", ""), "").mime_type
    announced = media.mime_type
    if comes in _SAYS_NOTHING:
        return announced
    if announced in _SAYS_NOTHING:
        return comes
    if _family(comes) != _family(announced) or (comes == "text/html" and announced != comes):
        raise MediaError(f"it is {comes[:100]}, and was announced as {announced[:100]}")
    return announced


def _family(mime_type: str) -> str:
    return _FAMILIES.get(mime_type, mime_type.partition("/")[0])

"""The typing indicator of WhatsApp: the contact sees that an answer is being written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING

from ...retry_after import retry_after_ms
from ..channel import InboundMessage, TypingNotShown
from .credentials import Credentials
from .hosts import host_of

if TYPE_CHECKING:
    import httpx

#: Twilio's prefix of WhatsApp addresses.
WHATSAPP = "whatsapp:"

#: Below the host (https://www.twilio.com/docs/whatsapp/api/typing-indicators-resource).
PATH = "/v2/Indicators/Typing.json"

#: Longest wait for a connection, and for each part of the answer, in seconds. What comes later
#: comes near the reply, or after it.
TIMEOUT_S = 3.0

#: For how long Twilio is not asked again after a refusal that says that the account cannot show it, in
#: seconds, by the status. 404 may be about the one message, and so are the refusals that are not in here.
_HOUR_S, _MINUTE_S = 3_600.0, 60.0
PAUSES_S: Mapping[int, float] = {
    **dict.fromkeys((401, 402, 403, 405, 410, 451), _HOUR_S),
    404: _MINUTE_S,
    429: _MINUTE_S,
}

#: The ids that Twilio takes: a message, and one with media. A call has another one.
_MESSAGE_SID = re.compile(r"(SM|MM)[0-9a-fA-F]{32}")


class TypingIndicator:
    """Asks Twilio to show it. Thread-safe.

    Parameters:
      credentials: to call under the account that received the message.
      api_base_url: where Twilio's REST API is.
      timeout_s: the longest wait for a connection, and for each part of the answer, in seconds.
    """

    def __init__(self, credentials: Credentials, *, api_base_url: str, timeout_s: float = TIMEOUT_S) -> None:
        self._credentials = credentials
        self._url = host_of("messaging", api_base_url) + PATH
        self._timeout_s = timeout_s

    @staticmethod
    def is_for(message: InboundMessage) -> bool:
        """Tell whether it can be shown to the contact of a message: on WhatsApp alone."""
        is_message = _MESSAGE_SID.fullmatch(message.external_id) is not None
        return is_message and message.contact.address.startswith(WHATSAPP)

    def show(self, message: InboundMessage) -> None:
        """Have it shown, until the reply is there, or for 25 s. WhatsApp then shows the message as read.

        Raises:
          TypingNotShown: Twilio refused, or gave no answer in time.
        """
        import httpx  # noqa: PLC0415  slow to import

        form = {"messageId": message.external_id, "channel": "whatsapp"}
        credentials = self._credentials.of(message.account)
        try:
            answer = self._client.post(self._url, data=form, auth=credentials)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise TypingNotShown(f"Twilio gave no answer: {type(error).__name__}") from error
        status = answer.status_code
        if answer.is_success:
            return
        asked_for_ms = retry_after_ms(answer.headers.get("Retry-After")) if status == 429 else None
        pause_s = PAUSES_S.get(status, 0.0) if asked_for_ms is None else asked_for_ms / 1_000
        raise TypingNotShown(f"Twilio answered {status}", is_refusal=400 <= status < 500, pause_s=pause_s)

    def close(self) -> None:
        """Let go of its connections."""
        self._client.close()

    @cached_property
    def _client(self) -> httpx.Client:
        """Made when the first one is shown. Threads share its connections."""
        import httpx  # noqa: PLC0415  slow to import

        return httpx.Client(timeout=self._timeout_s, follow_redirects=False)

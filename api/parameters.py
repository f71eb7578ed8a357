"""What a webhook's parameters have to look like before a message is made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from actors.messages import text_of

#: Parameters of Twilio's that have one value, a text. One that is not in here may be repeated, or be anything
#: that JSON has: it is kept as it came.
_SINGLE = frozenset(
    {
        *("AccountSid", "ApiVersion", "MessageSid", "MessagingServiceSid", "SmsMessageSid", "SmsSid"),
        *("From", "FromCity", "FromCountry", "FromState", "FromZip", "ProfileName", "WaId"),
        *("To", "ToCity", "ToCountry", "ToState", "ToZip", "Body", "NumMedia", "NumSegments", "OptOutType"),
        *(
            "MessageType",
            "ButtonPayload",
            "ButtonText",
            "ButtonType",
            "ListId",
            "ListTitle",
            "ListDescription",
        ),
        *("Latitude", "Longitude", "Address", "Label", "Forwarded", "FrequentlyForwarded"),
        *("OriginalRepliedMessageSender", "OriginalRepliedMessageSid", "ReferralBody", "ReferralCtwaClid"),
        *("ReferralHeadline", "ReferralSourceId", "ReferralSourceType", "ReferralSourceUrl"),
        *("MessageStatus", "SmsStatus", "ErrorCode", "ErrorMessage", "ChannelInstallSid", "ChannelPrefix"),
        *("ChannelStatusMessage", "ChannelToAddress", "EventType", "RawDlrDoneDate"),
    }
)

#: Those of each attachment.
_OF_MEDIA = re.compile(r"Media(?:ContentType|Url)[0-9]+")

#: What is read and has a form. A signature is made over all names and values with nothing between them, so
#: the same signature also fits parameters in which a value goes on with the next name. Where a value of a
#: known form ends is not open to that.
_FORMS = {
    "AccountSid": (re.compile("AC[0-9a-fA-F]{32}"), "AC and 32 hexadecimal digits"),
    "MessageSid": (re.compile("(?:SM|MM)[0-9a-fA-F]{32}"), "SM or MM and 32 hexadecimal digits"),
    "MessageStatus": (re.compile("[a-z][a-z_-]{0,39}"), "a word in small letters"),
}


class Malformed(Exception):
    """A parameter is not what Twilio sends under its name; the text says which, and what it has to be."""


def check_parameters(payload: Mapping[str, Any]) -> None:
    """Refuse parameters that are repeated, no texts, or not of their form. One that is missing passes.

    Raises:
      Malformed: there is one.
    """
    for name, value in payload.items():
        if (
            value is not None
            and not isinstance(value, str)
            and (name in _SINGLE or _OF_MEDIA.fullmatch(name))
        ):
            raise Malformed(f"{name} has to be one text, and is {_in_words(value)}")
    for name, (form, words) in _FORMS.items():
        value = text_of(payload, name)
        if value and not form.fullmatch(value):
            raise Malformed(f"{name} has to be {words}, and is {value[:60]!r}")


def _in_words(value: object) -> str:
    match value:
        case list():
            return "a list, or was repeated"
        case dict():
            return "an object"
        case bool():
            return "true or false"
        case _:
            return "a number"

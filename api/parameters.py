"""What a webhook's parameters have to look like before a message is made of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from actors.channels.twilio.inbound import text_of

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
        *("CallSid", "CallStatus", "CallToken", "Called", "Caller", "Direction", "ForwardedFrom"),
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
    "CallSid": (re.compile("CA[0-9a-fA-F]{32}"), "CA and 32 hexadecimal digits"),
    "MessageStatus": (re.compile("[a-z][a-z_-]{0,39}"), "a word in small letters"),
}


#: What each message has and is told apart by: the name of a parameter, and the beginning of its value. A
#: webhook has them after its Body. So when another split of the signed text is posted, in which a contact's
#: text is read as names and values, the true ones are inside another parameter.
_TRUE_PART = re.compile(
    r"(?P<name>MessageSid|SmsSid)(?:SM|MM)[0-9a-fA-F]{32}|(?P<address>From|To)(?:[a-z]{2,20}:\S|\+?[0-9]{5})"
)

#: May have anything in it that a contact writes. A split in which the true sender and sid are in here has a
#: forged sid after it, and that one is not the same as the true SmsMessageSid.
_FREE = frozenset({"Body"})

#: Deprecated names of MessageSid, which Twilio sends beside it, with the same value.
_SAME_SIDS = ("SmsMessageSid", "SmsSid")


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
    _check_that_sids_agree(payload)
    for name, value in payload.items():
        if name not in _FREE:
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str):
                    _check_the_split(name, text)


def _check_that_sids_agree(payload: Mapping[str, Any]) -> None:
    sid = text_of(payload, "MessageSid")
    for name in _SAME_SIDS:
        other = text_of(payload, name)
        if sid and other and other != sid:
            raise Malformed(f"{name} has to be the same as MessageSid, {sid}, and is {other[:60]!r}")


def _check_the_split(name: str, text: str) -> None:
    """Refuse a parameter in which the name and the value of another one can be read.

    A signature is made over the names and values of all parameters, sorted, with nothing between them. So a
    contact can write a text such as "hiFrom+5511...Z", and the same signature fits a Body "hi", another
    sender's From, and a parameter "Z..." that takes in the true From and what follows it.
    """
    for part in _TRUE_PART.finditer(name + text):
        is_own = name in _SINGLE and part.end(part.lastgroup or 0) == len(name)
        is_a_sid = part["name"] is not None and part.end() == len(name + text) > len(name) == part.end("name")
        if not is_own and not is_a_sid:
            inner = part["name"] or part["address"]
            raise Malformed(f"{name[:60]} must not contain another parameter, and contains a {inner}")


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

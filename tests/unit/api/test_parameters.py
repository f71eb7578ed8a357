"""Which parameters can be Twilio's, and which are another way to split what was signed."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from twilio.request_validator import RequestValidator

from api.parameters import Malformed, check_parameters
from ops.webhook import message_parameters

SID, FORGED = "SM" + "1" * 32, "SM" + "9" * 32
CONTACT, VICTIM, ADDRESS = "whatsapp:+5511900001234", "whatsapp:+5511900005678", "whatsapp:+15005550006"


def parameters(body: str, **more: str) -> dict[str, str]:
    return message_parameters(body, sender=CONTACT, to=ADDRESS, message_sid=SID) | more


def signed_text(of: Mapping[str, str]) -> str:
    return str(RequestValidator("a token").compute_signature("https://recado.example.com", dict(of)))


def from_after(parameters: Mapping[str, str], name: str) -> str:
    """The signed text from a parameter on."""
    return "".join(each + value for each, value in sorted(parameters.items()) if each >= name)


def another_sender() -> tuple[dict[str, str], dict[str, str]]:
    true = parameters(f"payFrom{VICTIM}Fz")
    return true, true | {"Body": "pay", "From": VICTIM, "Fz": f"From{CONTACT}"}


def another_sender_in_a_name() -> tuple[dict[str, str], dict[str, str]]:
    true = parameters(f"payFrom{VICTIM}Fz")
    return true, true | {"Body": "pay", "From": VICTIM, "FzFrom": CONTACT}


def another_senders_value_goes_on() -> tuple[dict[str, str], dict[str, str]]:
    true = parameters(f"payFrom{VICTIM}")
    return true, true | {"Body": "pay", "From": f"{VICTIM}From{CONTACT}"}


def another_message() -> tuple[dict[str, str], dict[str, str]]:
    whole = "".join(name + value for name, value in sorted(forged_part().items()))
    true = parameters(f"pay{whole}ZZ")
    before = {name: true[name] for name in ("AccountSid", "ApiVersion")}
    return true, before | {"Body": "pay"} | forged_part() | {"ZZ": from_after(true, "From")}


def another_profile() -> tuple[dict[str, str], dict[str, str]]:
    """The text takes in the true sender, and the profile's name has the forged one."""
    true = parameters("pay", ProfileName=f"xFrom{VICTIM}MessageSid{FORGED}")
    end = from_after(true, "From").partition("xFrom")[0]
    rest = {name: value for name, value in true.items() if name < "Body" or name > "ProfileName"}
    return true, rest | {"Body": "pay" + end + "x", "From": VICTIM, "MessageSid": FORGED}


def forged_part() -> dict[str, str]:
    forged = message_parameters("", sender=VICTIM, to=ADDRESS, message_sid=FORGED)
    return {name: value for name, value in forged.items() if name > "Body"}


@pytest.mark.parametrize(
    "split",
    [
        another_sender,
        another_sender_in_a_name,
        another_senders_value_goes_on,
        another_message,
        another_profile,
    ],
)
def test_what_a_contact_wrote_makes_no_other_message_of_a_signed_one(split: object) -> None:
    assert callable(split)
    true, forged = split()
    assert signed_text(true) == signed_text(forged)

    if split is not another_profile:  # a profile's name is no text that contacts have a need to write much in
        check_parameters(true)
    with pytest.raises(Malformed):
        check_parameters(forged)


@pytest.mark.parametrize(
    "more",
    [
        {"OriginalRepliedMessageSid": SID, "OriginalRepliedMessageSender": ADDRESS},
        {"NewMessageSid": SID},
        {"FromCity": "SAO PAULO", "FromZip": "01000", "ToZip": "94016", "ToCountry": "US"},
        {"ProfileName": "From Brazil To 94016"},
        {"From": "whatsapp:US.1234", "WaId": ""},
        {"From": "messenger:123456"},
        {"From": "72345"},
        {"ChannelMetadata": '{"type":"whatsapp","data":{"from":"+5511900001234"}}'},
    ],
)
def test_what_twilio_sends_is_accepted(more: Mapping[str, str]) -> None:
    check_parameters(parameters("oi", **more))


def test_sids_of_one_message_are_the_same() -> None:
    with pytest.raises(Malformed, match="SmsMessageSid has to be the same as MessageSid"):
        check_parameters(parameters("oi", MessageSid=FORGED))

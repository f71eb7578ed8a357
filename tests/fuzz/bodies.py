"""Bodies of webhooks: each is refused with a reason, or becomes a message that can be stored."""

from __future__ import annotations

import json

from actors.channels import InvalidMessage
from actors.channels.twilio import inbound
from actors.channels.twilio.delivery import is_status_callback
from api.bodies import BrokenBody, parse, to_payload
from api.parameters import Malformed, check_parameters

#: The first byte says which of these it is.
CONTENT_TYPES = ("application/x-www-form-urlencoded", "application/json", "text/plain")

_MESSAGE = f"MessageSid=SM{'5' * 32}&AccountSid=AC{'1' * 32}&From=whatsapp:%2B5511900000001&To=%2B15005550006"
_OF_JSON = {
    name: value.replace("%2B", "+") for name, value in (part.split("=") for part in _MESSAGE.split("&"))
}
_TELLING = (
    "&Body=Oi&NumMedia=1&MediaUrl0=x&MediaContentType0=image/png&ButtonText=a&ButtonPayload=b&Latitude=1"
    "&Label=c&ListTitle=d&ListDescription=e&ReferralBody=f&Forwarded=true&OptOutType=STOP"
)

SEEDS = (
    *(b"", b"\0", b"\0=", b"\0a=1&a=2&a=3", b"\0Body=%ff", b"\0%", b"\0\xff", b"\2", b"\1{", b"\1[]"),
    b"\0" + (_MESSAGE + _TELLING).encode(),
    b"\0" + (_MESSAGE + "&InteractiveData=%7B%22a%22:[1,%7B%22b%22:true%7D]%7D").encode(),
    b"\0" + (_MESSAGE + "&InteractiveData=%7B%22a%22:%22%5Cud800%22%7D").encode(),
    b"\0" + (_MESSAGE + "&InteractiveData=" + "[" * 900 + "1" + "]" * 900).encode(),
    b"\0" + _MESSAGE.replace("MessageSid=SM", "CallSid=CA").encode(),
    b"\1" + json.dumps({**_OF_JSON, "Body": "\ud800", "NumMedia": 10, "Latitude": [1e22]}).encode(),
    b"\1" + json.dumps({**_OF_JSON, "NumMedia": "\u0663", "Body": {"a": [None, True]}}).encode(),
    *(b'\1{"Body": 1e400}', b'\1{"Body": ' + b"9" * 5_000 + b"}", b"\1" + b'{"a":' * 500 + b"1" + b"}" * 500),
)


def fuzz(data: bytes) -> None:
    """Read a body as the API and the workers do."""
    kind = CONTENT_TYPES[data[0] % len(CONTENT_TYPES)] if data else ""
    try:
        payload = to_payload(parse(data[1:], kind))
        check_parameters(payload)
        stored = json.dumps(payload, ensure_ascii=False).encode()
        assert json.loads(stored) == payload
        is_status_callback(payload)
        message = inbound.read(payload)
    except (BrokenBody, Malformed, InvalidMessage):
        return
    assert message.text
    message.text.encode()  # or no store could keep it

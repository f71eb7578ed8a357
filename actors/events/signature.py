"""The headers that prove where an event comes from, as Standard Webhooks has them.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence


def signature_headers(event_id: str, body: bytes, *, at_s: int, keys: Sequence[bytes]) -> Mapping[str, str]:
    """Sign a request.

    Parameters:
      event_id: the same whenever the event is repeated.
      body: of the request.
      at_s: when this attempt is made, in seconds since the epoch: a receiver refuses old ones.
      keys: each gives a signature, so that a receiver may know the old or the new one while rotating.
    """
    signed = f"{event_id}.{at_s}.".encode() + body
    signatures = (base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }

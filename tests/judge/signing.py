"""Twilio's signature (https://www.twilio.com/docs/usage/security#validating-requests)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable


def signature(auth_token: str, url: str, parameters: Iterable[tuple[str, str]]) -> str:
    """Sign a form: the URL, then each parameter's name and value in the order of the names, with HMAC-SHA1.

    Parameters:
      auth_token: the account's.
      url: the whole URL, query included, as Twilio was given it.
      parameters: names and values; what is there twice is signed once.
    """
    signed = url + "".join(name + value for name, value in sorted(set(parameters)))
    return base64.b64encode(hmac.new(auth_token.encode(), signed.encode(), hashlib.sha1).digest()).decode()

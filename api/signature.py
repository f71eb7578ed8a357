"""Whether a webhook was really sent by Twilio (https://www.twilio.com/docs/usage/webhooks/webhooks-security)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, ImmutableMultiDict
from twilio.request_validator import (
    HMAC_SHA1,
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
)


class SignatureCheck:
    """Checks requests against the URL Twilio was given, which only we know: a proxy may rewrite host and
    scheme, and forwarded headers can be forged.

    Parameters:
      public_base_url: scheme, host and any path prefix under which Twilio reaches this service.
      auth_tokens: the account's auth tokens; more than one while rotating.
      shared_keys: secrets of shared keys by id, for signatures that name their key.
    """

    def __init__(
        self, public_base_url: str, auth_tokens: Sequence[str], shared_keys: Mapping[str, str]
    ) -> None:
        self._public_base_url = public_base_url
        self._path = urlsplit(public_base_url).path
        self._auth_tokens = [RequestValidator(token) for token in auth_tokens]
        self._shared_keys = {key_id: RequestValidator(secret) for key_id, secret in shared_keys.items()}

    def is_valid(
        self, *, path: str, query: str, headers: Headers, content: Sequence[tuple[str, str]] | str
    ) -> bool:
        """Check one request.

        Parameters:
          path, query: as they came over the wire, not decoded.
          headers: the request's.
          content: a form's fields, repeated and blank ones included, or the text of a JSON body.
        """
        signature = headers.get(SIGNATURE_HEADER)
        if not signature:  # twilio's validator raises TypeError
            return False
        if self._path and path.startswith(self._path + "/"):  # the proxy passed it on
            path = path.removeprefix(self._path)
        url = f"{self._public_base_url}{path}" + (f"?{query}" if query else "")
        if isinstance(content, str) and not _has_body_hash(url):  # TypeError, too
            return False
        params = content if isinstance(content, str) else ImmutableMultiDict(content)
        algorithm, validators = self._keys_for(headers.get(SIGNATURE_SETTINGS_HEADER))
        return any(validator.validate(url, params, signature, algorithm) for validator in validators)

    def _keys_for(self, settings: str | None) -> tuple[str, list[RequestValidator]]:
        """Which algorithm and which keys: a request signed with a shared key says so in a header."""
        named = dict(part.strip().partition("=")[::2] for part in (settings or "").split(","))
        algorithm = named.get("algorithm") or HMAC_SHA1
        if "key" in named:
            key = self._shared_keys.get(named["key"])
            return algorithm, [key] if key else []
        return algorithm, self._auth_tokens


def _has_body_hash(url: str) -> bool:
    """Tell whether a URL names a hash, read as twilio's validator reads it: a `#` ends the query."""
    return "bodySHA256" in parse_qs(urlsplit(url).query)

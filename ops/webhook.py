"""Posts webhooks as Twilio sends them: what `recado send`, the demo and the tests have in common."""

from __future__ import annotations

import httpx

from actors.channels.twilio.webhook import DEMO_ACCOUNT, MESSAGES_PATH, message_parameters, signed

from .foundation.settings import Settings, check_for_the_api


def post_message(
    settings: Settings, text: str, *, sender: str, to: str, message_sid: str | None = None
) -> httpx.Response:
    """Post a message to the API of these settings, signed for its public address.

    Raises:
      SettingsError: there is nothing to sign with.
      httpx.HTTPError: the API cannot be reached.
    """
    settings = check_for_the_api(settings)
    local = settings.local_url + MESSAGES_PATH
    public = (settings.public_base_url or "") + MESSAGES_PATH
    account = settings.twilio_account_sid or DEMO_ACCOUNT
    parameters = message_parameters(text, sender=sender, to=to, message_sid=message_sid, account_sid=account)
    body, headers = signed(public, parameters, auth_token=next(iter(settings.auth_tokens), "unchecked"))
    return httpx.post(local, content=body, headers=headers, timeout=15.0)


__all__ = ["DEMO_ACCOUNT", "MESSAGES_PATH", "message_parameters", "post_message", "signed"]

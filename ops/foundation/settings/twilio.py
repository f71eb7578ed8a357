"""Twilio: its account, its webhooks, its senders."""

from __future__ import annotations

import re

from pydantic import Field, PositiveFloat, SecretStr, field_validator

from .section import Section, http_url, listed, pairs, parts


class TwilioSettings(Section):
    """What Twilio knows us by, and how it is called."""

    twilio_account_sid: str | None = Field(
        None,
        pattern=r"^AC[0-9a-fA-F]{32}$",
        description="AC and 32 hexadecimal digits, from Twilio's console",
    )
    twilio_auth_token: SecretStr | None = Field(
        None, description="the account's auth token; several, separated by commas, while rotating"
    )
    twilio_api_key_sid: str | None = Field(
        None,
        pattern=r"^SK[0-9a-fA-F]{32}$",
        description="an API key to send with in place of the auth token: SK and 32 hexadecimal digits",
    )
    twilio_api_key_secret: SecretStr | None = Field(None, description="that key's secret")
    twilio_subaccounts: SecretStr | None = Field(
        None,
        description="auth tokens of subaccounts to send with, as account_sid=token, comma-separated; one "
        "that is not listed is sent for with the main account's credentials",
    )
    twilio_messaging_services: str | None = Field(
        None,
        description="Messaging Services to send through, as address=service_sid, comma-separated, such as "
        "+5511900000000=MG and 32 hexadecimal digits",
    )
    twilio_sms_per_second: PositiveFloat | None = Field(
        None,
        description="SMS segments that each of your numbers sends in a second, in all workers together; "
        "unset: as they come, and Twilio queues them. A long code takes 1",
    )
    twilio_whatsapp_per_second: PositiveFloat | None = Field(
        None,
        description="messages that each of your WhatsApp senders sends in a second, likewise; it takes 80",
    )
    whatsapp_window_template: str | None = Field(
        None,
        pattern=r"^HX[0-9a-fA-F]{32}$",
        description="Content SID of the template that carries a reply, as its variable 1, to a WhatsApp "
        "contact who last wrote more than 24 hours ago; unset: such a reply fails, and a person is told",
    )
    twilio_typing_indicator: bool = Field(
        False,
        description="true: a WhatsApp contact sees that an answer is being written, and the message is "
        "marked as read",
    )
    twilio_shared_keys: SecretStr | None = Field(
        None, description="shared keys for HMAC_SHA256 webhook signatures, as key_id=secret, comma-separated"
    )
    twilio_validate_signatures: bool = Field(
        True, description="for development only: false accepts webhooks from anyone"
    )
    twilio_api_base_url: str = Field(
        "https://api.twilio.com", description="where Twilio's REST API is; another host is for tests"
    )
    twilio_timeout_s: PositiveFloat = Field(
        10.0, description="longest wait for Twilio's REST API, in seconds"
    )
    public_base_url: str | None = Field(
        None,
        description="the URL under which Twilio reaches this service, such as https://recado.example.com",
    )

    @field_validator("public_base_url", "twilio_api_base_url")
    @classmethod
    def _are_urls_of_twilio(cls, value: str | None) -> str | None:
        return http_url(value)

    @field_validator("twilio_shared_keys")
    @classmethod
    def _have_secrets(cls, value: SecretStr | None) -> SecretStr | None:
        """An empty secret would let anybody sign."""
        for pair in listed(value):
            key_id, _, secret = pair.partition("=")
            if not key_id.strip() or not secret.strip():
                raise ValueError("must be key_id=secret, separated by commas, and one of them is not")
        return value

    @field_validator("twilio_subaccounts")
    @classmethod
    def _are_accounts(cls, value: SecretStr | None) -> SecretStr | None:
        for pair in listed(value):
            account, _, token = pair.partition("=")
            if not re.fullmatch(r"AC[0-9a-fA-F]{32}", account.strip()) or not token.strip():
                raise ValueError("must be account_sid=token, separated by commas, and one of them is not")
        return value

    @field_validator("twilio_messaging_services")
    @classmethod
    def _are_messaging_services(cls, value: str | None) -> str | None:
        for pair in parts(value):
            address, _, service = pair.partition("=")
            if not address.strip() or not re.fullmatch(r"MG[0-9a-fA-F]{32}", service.strip()):
                raise ValueError("must be address=service_sid, separated by commas, and one of them is not")
        return value

    @field_validator("twilio_auth_token")
    @classmethod
    def _has_a_token(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not listed(value):
            raise ValueError("must have at least one token, and has only commas")
        return value

    def problems_of_twilio(self) -> list[str]:
        """What does not belong together."""
        if (self.twilio_api_key_sid is None) == (self.twilio_api_key_secret is None):
            return []
        missing = "SID" if self.twilio_api_key_sid is None else "SECRET"
        return [f"TWILIO_API_KEY_{missing} is missing: the other half of the API key is set"]

    def problems_of_serving(self) -> list[str]:
        """What only the API needs, and is missing."""
        problems = []
        if self.twilio_validate_signatures:
            if not self.auth_tokens and not self.shared_keys:
                problems.append(
                    "TWILIO_AUTH_TOKEN is missing: without it no webhook's signature can be checked "
                    "(for development only, TWILIO_VALIDATE_SIGNATURES=false switches the check off)"
                )
            if self.public_base_url is None:
                problems.append("PUBLIC_BASE_URL is missing: signatures are made over it")
        return problems

    @property
    def has_twilio_credentials(self) -> bool:
        """Whether Twilio's REST API can be called."""
        has_key = self.twilio_api_key_sid is not None or bool(listed(self.twilio_auth_token))
        return self.twilio_account_sid is not None and has_key

    @property
    def auth_tokens(self) -> list[str]:
        """The tokens a signature may be made with, the primary first."""
        return [*listed(self.twilio_auth_token), *self.subaccount_tokens.values()]

    @property
    def shared_keys(self) -> dict[str, str]:
        """Secrets of shared keys, by key id."""
        return pairs(listed(self.twilio_shared_keys))

    @property
    def twilio_credentials(self) -> tuple[str, str]:
        """User and password for Twilio's REST API: an API key, or the account and its auth token."""
        if self.twilio_api_key_sid is not None:
            return self.twilio_api_key_sid, self.required("twilio_api_key_secret")
        return self.required("twilio_account_sid"), listed(self.twilio_auth_token)[0]

    @property
    def subaccount_tokens(self) -> dict[str, str]:
        """Auth tokens of subaccounts, by account SID."""
        return pairs(listed(self.twilio_subaccounts))

    @property
    def messaging_services(self) -> dict[str, str]:
        """SIDs of Messaging Services, by the address that sends through each."""
        return pairs(parts(self.twilio_messaging_services))

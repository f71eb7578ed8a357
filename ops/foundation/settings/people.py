"""The people of the shop: what they are told, and who may see the dashboard."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, PositiveInt, SecretStr, field_validator

from .section import Milliseconds, Section, parts, urls


class PeopleSettings(Section):
    """Notices and the dashboard."""

    # Notices to people
    notify_urls: SecretStr | None = Field(
        None, description="people to tell what needs them, by URLs of apprise, separated by commas or spaces"
    )
    notify_quiet_hours: str | None = Field(
        None, description="when only what cannot wait is told, such as 22:00-07:00"
    )
    notify_timezone: str = Field("UTC", description="the time zone of these hours, such as America/Sao_Paulo")
    notify_max_per_hour: PositiveInt = Field(
        20, description="notices that each URL gets in an hour at most; what is beyond is told later, in one"
    )
    notify_group_ms: Milliseconds = Field(
        60_000, description="what happens within this time is told in one notice, in milliseconds"
    )
    notify_texts: bool = Field(False, description="true: notices quote what customers write")

    # The dashboard
    dashboard_enabled: bool = Field(True, description="false: there is no dashboard")
    dashboard_password: SecretStr | None = Field(
        None,
        min_length=8,
        description="opens the whole dashboard; without any, it answers only this machine's browsers",
    )
    dashboard_readonly_password: SecretStr | None = Field(
        None, min_length=8, description="opens the dashboard to readers, who can change nothing"
    )
    dashboard_users_path: Path = Field(
        Path("dashboard-users.json"),
        description="the file of `recado users`: the names, roles and digests of passwords of its users",
    )
    dashboard_auth_header: str | None = Field(
        None,
        pattern=r"^[A-Za-z][A-Za-z0-9-]*$",
        description="the header in which a proxy names the user, such as X-Forwarded-User",
    )
    dashboard_auth_role_header: str | None = Field(
        None,
        pattern=r"^[A-Za-z][A-Za-z0-9-]*$",
        description="the header in which it names the user's role: reader, agent, operator or admin",
    )
    dashboard_trusted_proxies: str | None = Field(
        None, description="whose header is believed: addresses or networks, separated by commas"
    )
    dashboard_operators: str | None = Field(
        None,
        description="the proxy's users who are admins, separated by commas, the others being readers; all "
        "are admins when not set",
    )
    dashboard_language: Literal["auto", "en", "pt-BR"] = Field(
        "auto",
        description="the dashboard's language where none was picked: en, pt-BR, or auto, the browser's",
    )
    dashboard_audit_path: Path = Field(
        Path("audit.db"), description="the file in which every operator's action is written down"
    )
    dashboard_try_it: bool = Field(
        False,
        description="for development only: true adds a page that plays a customer's phone and kills workers",
    )

    @field_validator("notify_urls")
    @classmethod
    def _are_apprises(cls, value: SecretStr | None) -> SecretStr | None:
        """Their form only: to read them whole takes a library of 45 MB, which workers and the API load."""
        wrong = [
            f"number {number}"
            for number, url in enumerate(urls(value), 1)
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*://\S+", url)
        ]
        if wrong:
            raise ValueError(f"must be URLs such as json://host/path, and {', '.join(wrong)} is none")
        return value

    @field_validator("notify_quiet_hours")
    @classmethod
    def _are_hours(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d", value):
            raise ValueError("must be two times of the day, such as 22:00-07:00")
        return value

    @field_validator("notify_timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"must be the IANA name of a time zone, and {value} is none") from None
        return value

    @field_validator("dashboard_trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str | None) -> str | None:
        for network in parts(value):
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"must be addresses or networks such as 10.0.0.0/8: {error}") from error
        return value

    def problems_of_the_dashboard(self) -> list[str]:
        """What would let in more people than was meant."""
        problems = []
        if self.dashboard_auth_header is not None and not self.trusted_proxies:
            problems.append(
                "DASHBOARD_TRUSTED_PROXIES is missing: anyone could send the header that "
                "DASHBOARD_AUTH_HEADER names"
            )
        if self.dashboard_auth_role_header is not None and self.dashboard_auth_header is None:
            problems.append(
                "DASHBOARD_AUTH_HEADER is missing: DASHBOARD_AUTH_ROLE_HEADER says the role of the user "
                "whom it names"
            )
        if self.dashboard_auth_role_header is not None and self.operators:
            problems.append(
                "DASHBOARD_OPERATORS and DASHBOARD_AUTH_ROLE_HEADER both say what the proxy's users may do: "
                "unset one of them"
            )
        password, readonly = self.dashboard_password, self.dashboard_readonly_password
        if password is not None and password == readonly:
            problems.append(
                "DASHBOARD_READONLY_PASSWORD is DASHBOARD_PASSWORD: readers could do what admins can"
            )
        return problems

    @property
    def trusted_proxies(self) -> list[IPv4Network | IPv6Network]:
        """Where the dashboard believes the header that names the user."""
        return [ip_network(network) for network in parts(self.dashboard_trusted_proxies)]

    @property
    def operators(self) -> frozenset[str]:
        """The proxy's users who are admins. Empty: all of them, unless it names their roles."""
        return frozenset(parts(self.dashboard_operators))

    @property
    def notify_url_list(self) -> list[str]:
        """The URLs of those who are told what needs a person."""
        return urls(self.notify_urls)

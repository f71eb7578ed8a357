"""Settings: read once, checked all at once, and silent about secrets."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import NoneType
from typing import get_args

import pytest

from ops.foundation.settings import Settings, SettingsError, check_for_the_api, load_settings

TWILIO = {
    "TWILIO_ACCOUNT_SID": "AC" + "a" * 32,
    "TWILIO_AUTH_TOKEN": "the-primary-token, the-secondary-token",
    "PUBLIC_BASE_URL": "https://recado.example.com/",
}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """No settings but those of the test."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.chdir(tmp_path)
    load_settings.cache_clear()
    yield monkeypatch
    load_settings.cache_clear()


def load(environment: pytest.MonkeyPatch, serving: bool = False, /, **variables: str) -> Settings:
    for name, value in variables.items():
        environment.setenv(name, value)
    return load_settings(serving=serving)


def problems(environment: pytest.MonkeyPatch, serving: bool = False, /, **variables: str) -> list[str]:
    """What is wrong, a line each, in order."""
    with pytest.raises(SettingsError) as raised:
        load(environment, serving, **variables)
    return sorted(line for line in str(raised.value).splitlines() if line.startswith("  - "))


def test_nothing_has_to_be_set_on_a_laptop(environment: pytest.MonkeyPatch) -> None:
    settings = load(environment)

    assert (settings.queue_backend, settings.ai_provider) == ("sqlite", "echo")
    assert not settings.sends_through_twilio


def test_credentials_make_replies_leave(environment: pytest.MonkeyPatch) -> None:
    settings = load(environment, **TWILIO)

    assert settings.sends_through_twilio
    assert settings.auth_tokens == ["the-primary-token", "the-secondary-token"]
    assert settings.public_base_url == "https://recado.example.com", "paths are added to it"


def test_a_file_is_read_too_and_the_environment_wins(environment: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("API_PORT=1234\nWORKER_THREADS=3\nSOMETHING_ELSE=1\n")

    settings = load(environment, WORKER_THREADS="5")

    assert (settings.api_port, settings.worker_threads) == (1234, 5)


def may_be_off() -> list[str]:
    """The settings that have a default, and of which a person may want none."""
    fields = Settings.model_fields.items()
    return [name for name, of in fields if of.default is not None and NoneType in get_args(of.annotation)]


@pytest.mark.parametrize("name", may_be_off())
def test_null_switches_off_what_has_a_default(environment: pytest.MonkeyPatch, name: str) -> None:
    assert "`null`: " in (Settings.model_fields[name].description or "")
    assert getattr(load(environment, **{name.upper(): "null"}), name) is None


def test_null_is_refused_where_something_is_needed(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="API_PORT"):
        load(environment, API_PORT="null")


def test_an_empty_variable_is_as_none(environment: pytest.MonkeyPatch) -> None:
    assert load(environment, TWILIO_ACCOUNT_SID="", AI_MODEL="").ai_model is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QUEUE_BACKEND", "rabbitmq"),
        ("QUEUE_MAX_DELIVERIES", "1"),
        ("TWILIO_ACCOUNT_SID", "SK" + "a" * 32),
        ("TWILIO_VALIDATE_SIGNATURES", "perhaps"),
        ("TWILIO_TIMEOUT_S", "0"),
        ("TWILIO_API_BASE_URL", "ftp://api.twilio.com"),
        ("PUBLIC_BASE_URL", "recado.example.com"),
        ("PUBLIC_BASE_URL", "https://recado.example.com?foo=1"),
        ("PUBLIC_BASE_URL", "https://recado.example.com#rc=5"),
        ("PUBLIC_BASE_URL", "https://recado.example.com:port"),
        ("PUBLIC_BASE_URL", "https://recado.example.com:99999"),
        ("REPLY_SENDER", "pigeon"),
        ("REPLY_UNKNOWN_POLICY", "guess"),
        ("REPLY_RECONCILE_DELAYS_S", "5,,15"),
        ("REPLY_RECONCILE_DELAYS_S", "soon"),
        ("REPLY_GATHER_MS", "-1"),
        ("AI_PROVIDER", "my_module"),
        ("AI_PROVIDER", "my_module:"),
        ("AI_BASE_URL", "localhost"),
        ("AI_SYSTEM_PROMPT_PATH", "no-such-file.txt"),
        ("AI_MAX_TOKENS", "0"),
        ("PROFILES_PATH", "no-such-file.toml"),
        ("MESSAGE_MAX_RETRIES", "-1"),
        ("API_PORT", "70000"),
        ("WORKER_THREADS", "two"),
        ("WORKER_THREADS", "0"),
        ("WORKER_THREADS", "4097"),
        ("WORKERS", "0"),
        ("WORKER_MEMORY_LIMIT_MB", "lots"),
        ("DRAIN_TIMEOUT_S", "0"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_wrong_value_is_named_and_explained(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    [problem] = problems(environment, **{name: value})

    assert problem.startswith(f"  - {name}: ")
    assert str(Settings.model_fields[name.lower()].description) in problem


def test_all_wrong_values_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    wrong = {"API_PORT": "x", "AI_PROVIDER": "oracle", "LOG_LEVEL": "LOUD"}

    found = problems(environment, **wrong)

    assert sorted(line.split()[1] for line in found) == ["AI_PROVIDER:", "API_PORT:", "LOG_LEVEL:"]


def test_all_missing_values_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    found = problems(environment, REPLY_SENDER="twilio", AI_PROVIDER="openai")

    assert sorted(line.split()[1] for line in found) == [
        "AI_API_KEY",
        "AI_BASE_URL",
        "AI_MODEL",
        "PUBLIC_BASE_URL",
        "TWILIO_ACCOUNT_SID",
        "TWILIO_AUTH_TOKEN",
    ]


def test_wrong_and_missing_values_are_named_at_once(environment: pytest.MonkeyPatch) -> None:
    found = problems(environment, API_PORT="x", REPLY_SENDER="twilio", TWILIO_ACCOUNT_SID="AC123")

    assert [line.split()[1] for line in found] == [
        "API_PORT:",
        "PUBLIC_BASE_URL",
        "TWILIO_ACCOUNT_SID:",
        "TWILIO_AUTH_TOKEN",
    ]


@pytest.mark.parametrize("wrong", [{}, {"API_PORT": "x"}, {"PUBLIC_BASE_URL": "nowhere"}])
@pytest.mark.parametrize("more", [{}, {"AI_PROVIDER": "openai"}, {"REPLY_SENDER": "twilio"}])
def test_what_only_the_api_needs_is_named_with_all_else_and_once(
    environment: pytest.MonkeyPatch, wrong: dict[str, str], more: dict[str, str]
) -> None:
    needed = {"TWILIO_AUTH_TOKEN", "PUBLIC_BASE_URL", *wrong}
    if "AI_PROVIDER" in more:
        needed |= {"AI_BASE_URL", "AI_API_KEY", "AI_MODEL"}
    if "REPLY_SENDER" in more:
        needed |= {"TWILIO_ACCOUNT_SID"}

    found = problems(environment, True, **wrong, **more)

    assert [line.split()[1].rstrip(":") for line in found] == sorted(needed)


def test_what_only_the_api_needs_is_not_needed_elsewhere(environment: pytest.MonkeyPatch) -> None:
    assert load(environment).public_base_url is None


def test_a_responder_of_ones_own_can_be_named(environment: pytest.MonkeyPatch) -> None:
    assert load(environment, AI_PROVIDER="my.module:factory").ai_provider == "my.module:factory"


def test_a_token_of_nothing_but_commas_is_missing(environment: pytest.MonkeyPatch) -> None:
    [problem] = problems(environment, **{**TWILIO, "TWILIO_AUTH_TOKEN": " , "})

    assert "TWILIO_AUTH_TOKEN" in problem


def test_a_shared_key_without_a_secret_is_wrong(environment: pytest.MonkeyPatch) -> None:
    [problem] = problems(environment, TWILIO_SHARED_KEYS="key-1=secret-1,key-2")

    assert problem.startswith("  - TWILIO_SHARED_KEYS: ")
    assert "secret-1" not in problem


def test_shared_keys_by_id(environment: pytest.MonkeyPatch) -> None:
    settings = load(environment, TWILIO_SHARED_KEYS="key-1 = one=1, key-2=two,")

    assert settings.shared_keys == {"key-1": "one=1", "key-2": "two"}


def test_the_api_can_do_without_a_token_if_it_has_shared_keys(environment: pytest.MonkeyPatch) -> None:
    settings = load(
        environment, TWILIO_SHARED_KEYS="key-1=secret", PUBLIC_BASE_URL="https://recado.example.com"
    )

    assert check_for_the_api(settings) is settings


def test_the_api_needs_something_to_check_signatures_with(environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as raised:
        check_for_the_api(load(environment))

    assert "TWILIO_AUTH_TOKEN" in str(raised.value)
    assert "PUBLIC_BASE_URL" in str(raised.value)


# -- secrets -------------------------------------------------------------------------------------------

SECRETS = {
    "TWILIO_AUTH_TOKEN": "a-very-secret-token",
    "TWILIO_SHARED_KEYS": "key-1=a-very-secret-key",
    "AI_API_KEY": "sk-very-secret",
    "TWILIO_API_KEY_SID": "SK" + "0" * 32,
    "TWILIO_API_KEY_SECRET": "another-very-secret",
    "TWILIO_SUBACCOUNTS": "AC" + "0" * 32 + "=a-very-secret-token",
}


def test_a_representation_has_no_secrets(environment: pytest.MonkeyPatch) -> None:
    settings = load(environment, **SECRETS)

    assert "very-secret" not in repr(settings) + str(settings) + str(settings.model_dump())


@pytest.mark.parametrize("wrong", [{"API_PORT": "x"}, {"REPLY_SENDER": "twilio"}])
def test_errors_have_no_secrets(environment: pytest.MonkeyPatch, wrong: dict[str, str]) -> None:
    assert "very-secret" not in "\n".join(problems(environment, **SECRETS, **wrong))


def test_workers_and_heartbeats_have_to_fit_together(environment: pytest.MonkeyPatch) -> None:
    unfit = {"WORKERS": "3", "WORKERS_MAX": "2", "HEARTBEAT_INTERVAL_S": "4"}

    found = problems(environment, **unfit)

    assert [line.split()[1] for line in found] == ["HEARTBEAT_TIMEOUT_S", "WORKERS_MAX"]


def test_there_are_no_more_workers_than_asked_for(environment: pytest.MonkeyPatch) -> None:
    assert load(environment, WORKERS="3").most_workers == 3


# -- BullMQ --------------------------------------------------------------------------------------------


def test_bullmq_keeps_conversations_on_its_server(environment: pytest.MonkeyPatch) -> None:
    settings = load(environment, QUEUE_BACKEND="bullmq", REDIS_URL="redis://cache:6379/0")

    assert settings.conversations_on == "redis"
    assert settings.queue_address == "cache:6379 bull"


def test_bullmq_needs_a_server_and_its_extra(environment: pytest.MonkeyPatch) -> None:
    environment.setitem(sys.modules, "bullmq", None)

    missing = "\n".join(problems(environment, QUEUE_BACKEND="bullmq"))
    assert "REDIS_URL is missing" in missing
    assert "pip install 'recado[bullmq]'" in missing


@pytest.mark.parametrize(
    ("name", "value"),
    [("BULLMQ_PREFIX", "a:b"), ("BULLMQ_KEEP_COMPLETED", "-1"), ("BULLMQ_LOCK_S", "0.5")],
)
def test_a_wrong_setting_of_bullmq_is_named(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    [problem] = problems(environment, **{name: value})
    assert name in problem


# -- Amazon SQS ----------------------------------------------------------------------------------------


def test_sqs_keeps_conversations_in_a_file_unless_told_otherwise(environment: pytest.MonkeyPatch) -> None:
    settings = load(environment, QUEUE_BACKEND="sqs")
    assert settings.conversations_on == "sqlite"
    load_settings.cache_clear()

    found = problems(environment, CONVERSATIONS_BACKEND="redis")
    assert [problem for problem in found if "REDIS_URL is missing" in problem] == found


def test_sqs_without_its_extra_says_what_to_install(environment: pytest.MonkeyPatch) -> None:
    environment.setitem(sys.modules, "dramatiq_sqs", None)

    [problem] = problems(environment, QUEUE_BACKEND="sqs")

    assert "pip install 'recado[sqs]'" in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SQS_NAMESPACE", "with_underscore"),
        ("SQS_ENDPOINT_URL", "sqs.example.com"),
        ("SQS_VISIBILITY_TIMEOUT_S", "1"),
    ],
)
def test_a_wrong_setting_of_sqs_is_named(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    [problem] = problems(environment, **{name: value})

    assert problem.startswith(f"  - {name}: ")


def test_where_messages_wait_at_sqs_can_be_said(environment: pytest.MonkeyPatch) -> None:
    assert load(environment, QUEUE_BACKEND="sqs", SQS_REGION="sa-east-1").queue_address == "sa-east-1 recado"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AI_BASE_URL", "https://user:hid/den@model.example.com"),
        ("AI_BASE_URL", "https://user:hid#den@model.example.com"),
        ("PUBLIC_BASE_URL", "https://user:hid[den@recado.example.com"),
        ("PUBLIC_BASE_URL", "https://user:hid\N{CARE OF}den@recado.example.com"),
        ("REDIS_URL", "redis://user:hid/den@cache.example.com"),
        ("REDIS_URL", "http://user:hidden@cache.example.com"),
        *(("AI_BASE_URL", f"https://user:hid{each}den@model.example.com") for each in "\"'<>\\ "),
        *(("REDIS_URL", f"redis://user:hid{each}den@cache.example.com") for each in "\"'<>\\ /?#"),
        ("SQS_ENDPOINT_URL", "https://user:hid'den@sqs.example.com"),
        ("REDIS_URL", "redis://user:12/hidden@cache.example.com"),
    ],
)
def test_an_error_shows_no_part_of_a_password(environment: pytest.MonkeyPatch, name: str, value: str) -> None:
    [problem] = problems(environment, **{name: value})

    assert problem.startswith(f"  - {name}: must be a URL ")
    assert "hid" not in problem


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AI_BASE_URL", "https://model.example.com/@team/v1"),
        ("AI_BASE_URL", "https://user:%22%27%3C%3E%5C%20%2F@model.example.com:8443/v1"),
        ("REDIS_URL", "unix:///run/redis@1.sock"),
        ("REDIS_URL", "rediss://user:hidden@cache.example.com:6380/0?client_name=a@b"),
    ],
)
def test_a_url_may_have_escaped_credentials_and_an_at_sign_elsewhere(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    load(environment, **{name: value})


def test_where_messages_wait_is_said_without_credentials(environment: pytest.MonkeyPatch) -> None:
    urls = {"SQS_ENDPOINT_URL": "https://user:hidden@sqs.example.com", "REDIS_URL": "redis://u:hidden@c:1/0"}
    sqs = load(environment, QUEUE_BACKEND="sqs", **urls)
    assert sqs.queue_address == "https://sqs.example.com recado"
    load_settings.cache_clear()
    assert load(environment, QUEUE_BACKEND="redis", **urls).queue_address == "c:1 recado"


def test_tracing_without_its_extra_says_what_to_install(environment: pytest.MonkeyPatch) -> None:
    assert load(environment, TRACING="true").tracing
    load_settings.cache_clear()
    environment.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)

    [problem] = problems(environment, TRACING="true")

    assert "pip install 'recado[tracing]'" in problem


def test_a_model_that_writes_voice_notes_down_needs_an_endpoint(environment: pytest.MonkeyPatch) -> None:
    assert problems(environment, AI_TRANSCRIBE_MODEL="a-listener") == [
        "  - AI_API_KEY is missing: AI_TRANSCRIBE_MODEL needs it",
        "  - AI_BASE_URL is missing: AI_TRANSCRIBE_MODEL needs it",
    ]


def test_attachments_are_kept_in_a_folder(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    [problem] = problems(environment, MEDIA_PATH="file")
    assert "MEDIA_PATH: must be a folder, and file is none" in problem
    assert load(environment, MEDIA_PATH="a folder that is made later").media_path is not None


def test_nothing_that_is_only_tried_can_reach_a_customer(environment: pytest.MonkeyPatch) -> None:
    [problem] = problems(environment, **TWILIO, DASHBOARD_TRY_IT="true")
    assert "DASHBOARD_TRY_IT is true, and replies leave through Twilio" in problem
    [problem] = problems(environment, REPLY_SENDER="twilio")
    assert "DASHBOARD_TRY_IT" in problem

    environment.setenv("REPLY_SENDER", "console")
    load_settings.cache_clear()
    assert load(environment).dashboard_try_it


def test_what_is_tried_needs_a_port(environment: pytest.MonkeyPatch) -> None:
    [problem] = problems(environment, DASHBOARD_TRY_IT="true", API_PORT="0")

    assert "API_PORT is 0" in problem


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1:8000"),
        ("::", "http://[::1]:8000"),
        ("::1", "http://[::1]:8000"),
        ("recado.example.com", "http://recado.example.com:8000"),
    ],
)
def test_this_machine_finds_the_api(environment: pytest.MonkeyPatch, host: str, url: str) -> None:
    assert load(environment, API_HOST=host).local_url == url

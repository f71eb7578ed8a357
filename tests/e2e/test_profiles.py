"""Numbers with an assistant of their own, at whole Recados."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from llmock.pytest_plugin import LLMock

from tests.support.system import SMS_ADDRESS, System

from .conftest import MakeSystem, Settings
from .test_voice import a_call, post

CLINIC, BAKERY = "whatsapp:+5511900009001", "whatsapp:+5511900009002"

PROFILES = f"""
[clinic]
addresses = ["{CLINIC}"]
system_prompt_path = "clinic.txt"
model = "a-careful-model"
language = "pt-BR"

[bakery]
addresses = ["{BAKERY.removeprefix("whatsapp:")}"]
system_prompt = "You sell bread."
model = "a-quick-model"
base_url = "BASE_URL"
api_key_env = "BAKERY_KEY"
extra = {{ temperature = 0.9 }}
help_text = "Pão quentinho às 7h."
voice_text = "Aqui é a padaria."
"""

HOURS = f"""
[clinic]
addresses = ["{CLINIC}"]

[clinic.hours]
timezone = "America/Sao_Paulo"
open = ["mon-sun 00:00-24:00"]
closed_text = "Estamos fechados."
closed_dates = [CLOSED_DATES]
"""


def put(directory: Path, text: str) -> str:
    """Write the file of profiles; return its path."""
    path = directory / "profiles.toml"
    path.write_text(text)
    return str(path)


def around_now() -> str:
    """Dates of which one is today, wherever that is, until long after the test."""
    now = datetime.now(UTC)
    return ", ".join(str((now + timedelta(days=days)).date()) for days in range(-2, 3))


@pytest.fixture
def two_numbers(make_system: MakeSystem, model_settings: Settings, tmp_path: Path) -> System:
    (tmp_path / "clinic.txt").write_text("You answer for a clinic.\n")
    text = PROFILES.replace("BASE_URL", model_settings["AI_BASE_URL"] + "/")
    system = make_system(**model_settings, BAKERY_KEY="sk-of-the-bakery", PROFILES_PATH=put(tmp_path, text))
    system.api()
    system.worker()
    return system


def test_two_numbers_have_two_prompts_and_two_models(two_numbers: System, llmock: LLMock) -> None:
    contact = two_numbers.contact()
    for address in (CLINIC, BAKERY, "whatsapp:" + SMS_ADDRESS):
        two_numbers.write("Oi", sender=contact, to=address)
        two_numbers.settle()

    asked = [
        (request.body["model"], request.body["messages"][0]["content"].splitlines()[0])
        for request in llmock.requests
    ]
    assert asked[:2] == [
        ("a-careful-model", "You answer for a clinic."),
        ("a-quick-model", "You sell bread."),
    ]
    assert asked[2][0] == "a-model", "an address in no profile is answered as the settings say"
    assert "pt-BR" in llmock.requests[0].body["messages"][0]["content"]
    assert [request.body.get("temperature") for request in llmock.requests] == [None, 0.9, None]
    sent = two_numbers.twilio.sent_to(contact)
    assert [message.address for message in sent] == [CLINIC, BAKERY, "whatsapp:" + SMS_ADDRESS]
    assert "sk-of-the-bakery" not in two_numbers.logs()


def test_keywords_and_calls_are_answered_by_the_texts_of_the_number(two_numbers: System) -> None:
    contact = two_numbers.contact()
    two_numbers.write("AJUDA", sender=contact, to=BAKERY)
    heard = post(
        two_numbers, a_call(two_numbers, two_numbers.contact(""), To=BAKERY.removeprefix("whatsapp:"))
    )
    other = post(two_numbers, a_call(two_numbers, two_numbers.contact("")))
    two_numbers.settle()

    assert two_numbers.twilio.bodies_to(contact) == ["Pão quentinho às 7h."]
    assert "Aqui é a padaria." in heard.text
    assert "Aqui é a padaria." not in other.text


def test_closed_the_text_is_sent_once_and_open_the_assistant_answers(
    make_system: MakeSystem, tmp_path: Path
) -> None:
    path = put(tmp_path, HOURS.replace("CLOSED_DATES", around_now()))
    system = make_system(PROFILES_PATH=path)
    system.api()
    worker = system.worker()
    contact = system.contact()
    for text in ("Oi", "Alguém?"):
        system.write(text, sender=contact, to=CLINIC)
        system.settle()
    assert system.twilio.bodies_to(contact) == ["Estamos fechados."]
    worker.kill()
    other = system.worker()
    system.write("Ainda?", sender=contact, to=CLINIC)
    system.settle()
    assert system.twilio.bodies_to(contact) == ["Estamos fechados."], "another process knows that, too"

    put(tmp_path, HOURS.replace("CLOSED_DATES", ""))
    other.kill()
    system.worker()
    system.write("Bom dia", sender=contact, to=CLINIC)
    system.settle()

    assert system.twilio.bodies_to(contact) == ["Estamos fechados.", "[echo, not an AI] Bom dia"]


def test_the_command_line_shows_and_checks_them(make_system: MakeSystem, tmp_path: Path) -> None:
    path = put(tmp_path, HOURS.replace("CLOSED_DATES", around_now()))
    system = make_system(PROFILES_PATH=path)

    told = json.loads(system.run("profiles", "--json").stdout)
    assert told == [
        {
            "name": "clinic",
            "addresses": [CLINIC],
            "ai_provider": "echo",
            "model": None,
            "language": None,
            "open": False,
            "closed_mode": "text",
        }
    ]
    table = system.run("profiles").stdout
    assert CLINIC in table
    assert "clinic" in table
    right = system.run("profiles", "check", path)
    assert (right.returncode, right.stdout) == (0, f"{path} is right: 1 profile(s) for 1 address(es).\n")
    without = system.run("profiles", PROFILES_PATH="")
    assert (without.returncode, without.stdout) == (
        0,
        "PROFILES_PATH is not set: the settings hold for every address.\n",
    )

    wrong = tmp_path / "wrong.toml"
    wrong.write_text('[clinic]\naddress = ["+5511900000001"]\n')
    refused = system.run("profiles", "check", str(wrong))
    assert refused.returncode == 1
    assert "did you mean addresses?" in refused.stderr
    for command in (("profiles",), ("worker",), ("api",)):
        stopped = system.run(*command, PROFILES_PATH=str(wrong))
        assert stopped.returncode == 2
        assert "did you mean addresses?" in stopped.stderr
        assert "Traceback" not in stopped.stderr
    doctor = system.run("doctor", PROFILES_PATH=str(wrong))
    assert doctor.returncode == 1
    assert "FAIL profiles" in doctor.stdout
    assert "did you mean addresses?" in doctor.stdout


def test_the_doctor_asks_each_endpoint_of_the_profiles(two_numbers: System, llmock: LLMock) -> None:
    told = two_numbers.run("doctor").stdout

    assert "ok   profiles: clinic, bakery" in told
    assert told.count("accepts the key") == 2, "that of the settings, and that of the bakery with its own key"
    assert "profile bakery: the model's endpoint" in told

"""`recado`, as people use it."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from pathlib import Path

import pytest
from llmock.pytest_plugin import LLMock

from tests.fakes.twilio import FakeTwilio
from tests.support import plain_http
from tests.support.ports import free_port
from tests.support.system import ADDRESS, SMS_ADDRESS, System
from tests.support.waiting import eventually

from .conftest import AI_KEY, MakeSystem

# -- wrong settings ------------------------------------------------------------------------------------

WRONG = {
    "AI_PROVIDER": "oracle",
    "MESSAGE_MAX_RETRIES": "-1",
    "PUBLIC_BASE_URL": "recado.example.com",
    "QUEUE_MAX_DELIVERIES": "many",
    "TWILIO_ACCOUNT_SID": "AC123",
}


@pytest.mark.parametrize("command", ["api", "worker"])
def test_every_wrong_setting_is_named_at_once(make_system: MakeSystem, command: str) -> None:
    system = make_system(**WRONG)

    ended = system.run(command)

    assert ended.returncode == 2
    assert [name for name in WRONG if f"- {name}: " not in ended.stderr] == []
    assert "Traceback" not in ended.stderr
    assert system.twilio.auth_token not in ended.stdout + ended.stderr


@pytest.mark.parametrize("threads", ["-1", "0", "4097"])
def test_a_worker_does_not_start_with_no_threads_or_too_many(make_system: MakeSystem, threads: str) -> None:
    ended = make_system().run("worker", "--threads", threads)

    assert ended.returncode == 2
    assert ended.stderr == (f"A worker cannot run with {threads} threads: their number is from 1 to 4,096.\n")


@pytest.mark.parametrize("command", ["worker", "up"])
def test_the_setting_for_threads_has_the_same_bounds(make_system: MakeSystem, command: str) -> None:
    ended = make_system(WORKER_THREADS="-1").run(command)

    assert ended.returncode == 2
    assert "- WORKER_THREADS: Input should be greater than or equal to 1" in ended.stderr


def test_a_queue_that_no_actor_is_declared_on_is_refused(make_system: MakeSystem) -> None:
    ended = make_system().run("worker", "--queue", "messages", "--queue", "nope")

    assert ended.returncode == 2
    assert ended.stderr.startswith("No actor is declared on nope. The queues are ")
    assert "messages" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_misspelt_line_of_the_file_of_settings_is_warned_of(
    make_system: MakeSystem, tmp_path: Path
) -> None:
    system = make_system()
    (tmp_path / ".env").write_text("REPLY_GATHR_MS=10\nPOSTGRES_PASSWORD=x\n")

    worker = system.worker()

    assert "there is no such setting" in worker.log
    assert "REPLY_GATHER_MS" in worker.log
    assert "POSTGRES_PASSWORD" not in worker.log


def test_a_file_of_settings_that_is_no_utf_8_is_named(make_system: MakeSystem, tmp_path: Path) -> None:
    system = make_system()
    (tmp_path / ".env").write_bytes("OPT_OUT_TEXT=Até\n".encode("latin-1"))

    ended = system.run("worker")

    assert ended.returncode == 2
    assert ".env is no UTF-8 text" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_every_missing_setting_is_named_at_once(make_system: MakeSystem) -> None:
    system = make_system(AI_PROVIDER="openai", TWILIO_AUTH_TOKEN="", PUBLIC_BASE_URL="")

    ended = system.run("worker")

    assert ended.returncode == 2
    missing = ("AI_BASE_URL", "AI_API_KEY", "AI_MODEL", "TWILIO_AUTH_TOKEN", "PUBLIC_BASE_URL")
    assert [name for name in missing if f"- {name} is missing" not in ended.stderr] == []


def test_the_api_needs_something_to_check_signatures_with(make_system: MakeSystem) -> None:
    """And says so together with all else that is wrong."""
    system = make_system(
        AI_PROVIDER="openai",
        LOG_LEVEL="LOUD",
        PUBLIC_BASE_URL="",
        TWILIO_ACCOUNT_SID="",
        TWILIO_AUTH_TOKEN="",
    )

    ended = system.run("api")

    assert ended.returncode == 2
    missing = ("AI_BASE_URL", "AI_API_KEY", "AI_MODEL", "TWILIO_AUTH_TOKEN", "PUBLIC_BASE_URL")
    assert [name for name in missing if ended.stderr.count(f"- {name} is missing") != 1] == []
    assert "- LOG_LEVEL: " in ended.stderr


def test_an_api_that_checks_no_signatures_says_so_loudly(make_system: MakeSystem) -> None:
    system = make_system(
        TWILIO_ACCOUNT_SID="", TWILIO_AUTH_TOKEN="", PUBLIC_BASE_URL="", TWILIO_VALIDATE_SIGNATURES="false"
    )
    api = system.api()

    assert api.event("SIGNATURES ARE NOT CHECKED")["level"] == "warning"
    parameters = system.parameters("Oi", sender=system.contact())
    answer = plain_http.post(api.url + "/webhooks/twilio/messages", data=parameters)
    assert answer.status_code == 200


# -- a system at work ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("channel", "address"), [("whatsapp:", ADDRESS), ("", SMS_ADDRESS)])
def test_send_is_answered_in_its_channel(running: System, channel: str, address: str) -> None:
    contact = running.contact(channel)

    ended = running.run("send", "Oi", "--from", contact, API_PORT=running.url.rpartition(":")[2])
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert ended.stdout == "200 <Response/>\n"
    running.settle()

    [message] = running.twilio.sent_to(contact)
    assert message.address == address


def test_send_says_when_nobody_listens(make_system: MakeSystem) -> None:
    system = make_system(API_PORT=str(free_port()))

    ended = system.run("send", "Oi", "--from", system.contact())

    assert ended.returncode == 1
    assert "Is `recado api` running?" in ended.stdout


def test_the_doctor_finds_nothing_wrong_with_a_healthy_system(
    make_system: MakeSystem, model_settings: dict[str, str]
) -> None:
    port = str(free_port())
    system = make_system(API_PORT=port, PUBLIC_BASE_URL=f"http://127.0.0.1:{port}", **model_settings)
    assert system.api().url.endswith(port)

    ended = system.run("doctor")

    assert ended.returncode == 0, ended.stdout
    assert "FAIL" not in ended.stdout
    assert system.waiting() == 0, "it queues nothing"
    assert_no_secrets(system, ended.stdout + ended.stderr)


def test_the_doctor_shows_no_credentials_of_a_url(make_system: MakeSystem) -> None:
    port = free_port()
    with_password = f"http://user:hidden@127.0.0.1:{port}"
    ended = make_system(
        AI_PROVIDER="openai",
        AI_BASE_URL=with_password,
        AI_API_KEY=AI_KEY,
        AI_MODEL="m",
        PUBLIC_BASE_URL=with_password,
    ).run("doctor")

    assert ended.stdout.count(f"http://127.0.0.1:{port}") >= 2, "it says what was tried"
    assert "hidden" not in ended.stdout + ended.stderr


def test_the_doctor_names_what_is_wrong(running: System) -> None:
    elsewhere = f"http://127.0.0.1:{free_port()}"

    ended = running.run(
        "doctor",
        API_PORT=running.url.rpartition(":")[2],
        PUBLIC_BASE_URL=elsewhere,
        TWILIO_AUTH_TOKEN="not-the-token",
    )

    assert ended.returncode == 1
    failed = [line for line in ended.stdout.splitlines() if line.startswith("FAIL")]
    assert len(failed) == 3, ended.stdout
    assert "(API)" in failed[0], "signed with another token, and for another address"
    assert "(PUBLIC_BASE_URL)" in failed[1], "nobody listens there"
    assert "Twilio accepts the credentials" in failed[2]


def test_dead_letters_can_be_seen_replayed_and_discarded(front: System) -> None:
    front.twilio.refuse(400, 21211, times=2)
    front.worker()
    for _ in range(2):
        front.write("Oi", sender=front.contact())
    front.settle()
    first, second = (letter.message_id for letter in front.dead_letters())

    listed = front.run("dead", "list").stdout
    assert first in listed
    assert second in listed
    assert "21211" in listed
    shown = front.run("dead", "show", first).stdout
    assert "NotSentEver" in shown
    assert '"actor_name": "send_reply"' in shown, "the payload can be read"
    assert re.search(r"died_at  20\d\d-\d\d-\d\d \d\d:\d\d:\d\d$", shown, re.MULTILINE)

    assert front.run("dead", "replay", first).stdout == "1 of 1 replayed.\n"
    front.settle()
    assert len(front.twilio.messages) == 1
    assert front.run("dead", "discard", second).stdout == "1 discarded.\n"
    assert front.dead_letters() == []


def test_what_was_used_is_shown_by_what_one_asks_for(make_system: MakeSystem) -> None:
    system = make_system(
        AI_PROVIDER="tests.browser.attendant:attendant",
        AI_PRICES='{"attendant": {"input": 25.0, "output": 200.0}}',
        SEGMENT_PRICES='{"whatsapp": 0.005}',
        CURRENCY="BRL",
    )
    system.api()
    system.worker()
    contact = system.contact()
    system.write("Vocês abrem no domingo?", sender=contact)
    system.settle()

    [day] = (told := json.loads(system.run("usage", "--json").stdout))["lines"]
    assert told["currency"] == "BRL"
    assert (day["replies"], day["segments"], day["channel_cost"]) == (1, 1, 0.005)
    tokens = 25 * day["input_tokens"] + 200 * day["output_tokens"]
    assert day["model_cost"] == pytest.approx(tokens / 1e6)
    for by, name in (("number", ADDRESS), ("model", "attendant"), ("contact", contact)):
        [line] = json.loads(system.run("usage", "--by", by, "--days", "30", "--json").stdout)["lines"]
        assert (line["name"], line["cost"]) == (name, day["cost"])
    table = system.run("usage", "--by", "model").stdout
    assert "attendant" in table
    assert "cost (BRL)" in table
    assert system.run("usage", "--days", "0").returncode == 2


def test_a_paused_queue_keeps_its_messages_until_it_is_resumed(front: System) -> None:
    contact = front.contact()
    assert front.run("queues", "pause", "messages").returncode == 0
    front.worker()
    front.write("Oi", sender=contact)
    front.enqueue("replies", "send_reply", "no such reply")
    eventually(lambda: front.waiting("replies") == 0)  # the worker is at work

    assert re.search(r"messages \(paused\)\W+1\W+0\W+0\W+0", front.run("queues").stdout)
    assert front.run("queues", "resume", "messages").returncode == 0
    front.settle()

    assert len(front.twilio.sent_to(contact)) == 1


@pytest.mark.parametrize("command", ["replay", "discard", "show"])
def test_a_dead_letter_that_is_not_there_is_a_failure(front: System, command: str) -> None:
    ended = front.run("dead", command, "nothing")

    assert ended.returncode == 1
    assert ended.stderr == "There is no dead letter nothing.\n"


def test_dead_letters_say_whom_they_are_about(front: System) -> None:
    contact = front.contact()
    front.twilio.refuse(400, 21211)
    front.worker()
    front.write("Cadê o meu pedido?", sender=contact)
    front.settle()

    assert contact in front.run("dead", "list").stdout
    [letter] = json.loads(front.run("dead", "list", "--json").stdout)
    assert (letter["contact"], letter["actor"]) == (contact, "send_reply")
    assert json.loads(front.run("dead", "show", letter["message_id"], "--json").stdout)["queue"] == "replies"

    refused = front.run("dead", "discard", "--all")
    assert refused.returncode == 1
    assert refused.stderr == "This would delete 1 dead letter(s) for good: say --yes.\n"
    assert front.run("dead", "discard", "--all", "--yes").stdout == "1 discarded.\n"


def test_a_queue_that_is_not_there_is_not_made_by_pausing_it(front: System) -> None:
    front.write("Oi", sender=front.contact())  # on Redis a queue is there from its first message on
    for command in ("pause", "resume"):
        ended = front.run("queues", command, "mesages")

        assert ended.returncode == 1
        assert ended.stderr.startswith("There is no queue mesages. The queues are ")
        assert "messages" in ended.stderr
    assert "mesages" not in front.run("queues").stdout
    queues = json.loads(front.run("queues", "--json").stdout)
    assert "messages" in [queue["queue"] for queue in queues]


@pytest.mark.parametrize(
    "command",
    [
        ("queues",),
        ("dead", "list"),
        ("dead", "discard", "--all", "--yes"),
        ("conversations", "list"),
        ("usage",),
        ("export", "+5511900001234"),
        ("forget", "+5511900001234", "--yes"),
    ],
)
def test_looking_in_a_directory_where_nothing_runs_creates_nothing(
    tmp_path: Path, twilio: FakeTwilio, command: tuple[str, ...]
) -> None:
    with System(tmp_path, twilio) as system:
        before = sorted(tmp_path.rglob("*"))
        ended = system.run(*command)

        assert ended.returncode == 1
        assert "nothing has run here yet" in ended.stderr
        assert sorted(tmp_path.rglob("*")) == before


def test_it_says_its_version(front: System) -> None:
    assert front.run("--version").stdout.strip() == version("recado")


def test_all_or_some_dead_letters_have_to_be_named(front: System) -> None:
    ended = front.run("dead", "discard")

    assert ended.returncode == 2
    assert "--all" in ended.stderr


# -- secrets -------------------------------------------------------------------------------------------


def assert_no_secrets(system: System, text: str) -> None:
    secrets = [*system.settings["TWILIO_AUTH_TOKEN"].split(","), AI_KEY]
    assert [secret for secret in secrets if secret in text] == []


def test_logs_have_no_secrets_whatever_goes_wrong(running: System, llmock: LLMock) -> None:
    running.twilio.fail(500, stores=False)
    running.twilio.refuse(400, 21211)
    llmock.fail(401)
    for _ in range(3):
        running.write("Oi", sender=running.contact())
    running.webhook({"Body": "Oi"})
    running.settle()

    assert_no_secrets(running, running.logs())


def test_logs_name_no_contact_and_repeat_no_message_whatever_goes_wrong(
    running: System, llmock: LLMock
) -> None:
    contact = running.contact("")
    llmock.fail(500)
    llmock.fail(400)

    running.write("between you and me", sender=contact)
    running.write("and nobody else", sender=contact)
    running.settle()

    logs = running.logs()
    assert "answered" in logs
    assert [said for said in (contact, "between you and me", "nobody else") if said in logs] == []


def test_an_engine_that_is_away_is_a_message_and_no_traceback(
    make_system: MakeSystem, tmp_path: Path
) -> None:
    system = make_system()
    (tmp_path / "broken.db").write_bytes(b"no database " * 1_000)
    (tmp_path / "conversations.db").touch()
    away = {
        "sqlite": {"QUEUE_SQLITE_DB_PATH": str(tmp_path / "broken.db")},
        "redis": {"REDIS_URL": nowhere()},
    }

    ended = system.run("queues", **away[system.settings.get("QUEUE_BACKEND", "sqlite")])

    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert any(named in ended.stderr for named in ("broken.db", "Redis could not"))


def nowhere() -> str:
    return f"redis://127.0.0.1:{free_port()}/0"

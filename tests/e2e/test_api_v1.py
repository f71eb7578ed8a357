"""The API for other programs, over HTTP, on each engine."""

from __future__ import annotations

import base64
import json
import re
import secrets
import shlex
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import httpx
import pytest

from api.audit_log import AuditEntry, AuditLog
from api.roles import Role
from tests.fakes.twilio import FakeTwilio
from tests.support import plain_http
from tests.support.redis_server import RedisServer
from tests.support.system import ADDRESS, PATIENCE_S, System
from tests.support.waiting import eventually

from .conftest import Settings

ROOT = Path(__file__).parents[2]

#: A method, a path, a body, and the role that the operation needs.
Operation = tuple[str, str, dict[str, Any] | None, Role]

OPERATIONS: list[Operation] = [
    ("GET", "/conversations", None, "reader"),
    ("POST", "/conversations/search", {"contact": "5511"}, "reader"),
    ("POST", "/conversations/search-texts", {"text": "vaga"}, "reader"),
    ("GET", "/conversations/{message}", None, "reader"),
    ("GET", "/conversations/{message}/messages", None, "reader"),
    ("POST", "/conversations/{message}/messages", {"text": "Oi"}, "agent"),
    ("POST", "/conversations/{message}/take", None, "agent"),
    ("POST", "/conversations/{message}/hand-back", None, "agent"),
    ("GET", "/conversations/{message}/notes", None, "reader"),
    ("POST", "/conversations/{message}/notes", {"text": "prefers the morning"}, "agent"),
    ("DELETE", "/conversations/{message}/notes/{note}", None, "agent"),
    ("GET", "/replies/{reply}", None, "reader"),
    ("GET", "/dead-letters", None, "reader"),
    ("GET", "/dead-letters/{dead}", None, "reader"),
    ("POST", "/dead-letters/{dead}/replay", None, "operator"),
    ("DELETE", "/dead-letters/{dead}", None, "operator"),
    ("GET", "/replies/{reply}/model-call", None, "operator"),
    ("GET", "/usage", None, "reader"),
    ("GET", "/queues", None, "reader"),
    ("POST", "/queues/attic/pause", None, "operator"),
    ("POST", "/queues/attic/resume", None, "operator"),
]

ROLES: list[Role] = ["reader", "agent", "operator", "admin"]


class Program:
    """Another program, with a token.

    Parameters:
      system: whose API it uses.
      token: what it shows; none when empty.
    """

    def __init__(self, system: System, token: str) -> None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = plain_http.client(base_url=f"{system.url}/api/v1", timeout=PATIENCE_S, headers=headers)

    def get(self, path: str, **parameters: Any) -> Any:
        """Get what must be there."""
        answer = self.http.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path: str, body: Any = None, **headers: str) -> httpx.Response:
        return self.http.post(path, json=body, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def say(self, message_id: str, text: str, *, key: str, **more: Any) -> httpx.Response:
        path = f"/conversations/{message_id}/messages"
        return self.post(path, {"text": text, **more}, Idempotency_Key=key)

    def pages(self, path: str, *, limit: int, **parameters: Any) -> Iterator[list[Any]]:
        """Follow the cursors to the end."""
        page = self.get(path, limit=limit, **parameters)
        yield page["items"]
        while page["next_cursor"] is not None:
            page = self.get(path, limit=limit, cursor=page["next_cursor"], **parameters)
            yield page["items"]


Make = Callable[..., Program]


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory, twilio: FakeTwilio, engine: Settings
) -> Iterator[System]:
    """An API and a worker at work, which all tests of an engine share."""
    settings = {"AI_PROVIDER": "echo", "MESSAGE_MAX_RETRIES": "0", "API_V1_REQUESTS_PER_MINUTE": "100000"}
    with System(tmp_path_factory.mktemp("programs"), twilio, **settings, **engine) as system:
        api = system.api()
        system.worker()
        yield system
        assert "Traceback" not in api.log


def token(system: System, name: str, role: str, *more: str) -> str:
    """Make a token, as an operator does."""
    ended = system.run("tokens", "create", "--name", name, "--role", role, *more)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


@pytest.fixture(scope="module")
def tokens(system: System) -> dict[str, str]:
    return {role: token(system, f"a-{role}", role) for role in ROLES}


@pytest.fixture(scope="module")
def programs(system: System, tokens: dict[str, str]) -> Iterator[dict[str, Program]]:
    """A program of each role."""
    found: dict[str, Program] = {role: Program(system, tokens[role]) for role in ROLES}
    yield found
    for program in found.values():
        program.http.close()


@pytest.fixture
def admin(programs: dict[str, Program]) -> Program:
    return programs["admin"]


def written(system: System, *texts: str, contact: str | None = None) -> tuple[str, str]:
    """Have a contact write; return their address, and the id of the (last) message."""
    contact = contact or system.contact()
    sid = ""
    for text in texts or ("Oi",):
        parameters = system.parameters(text, sender=contact)
        sid = parameters["MessageSid"]
        assert system.webhook(parameters).status_code == 200
        system.settle()
    return contact, f"{system.twilio.sid}.{sid}"


def dead_letter(system: System, text: str = "Oi", *, contact: str = "whatsapp:+5511900009999") -> str:
    """Have a message become a dead letter; return its id."""
    parameters = system.parameters(text, sender=contact)
    message_id = system.enqueue("attic", "process_ai_response", parameters)
    [delivery] = [
        each
        for each in system.queue.dequeue("attic", limit=10, timeout_s=PATIENCE_S)
        if each.message_id == message_id
    ]
    system.queue.nack(delivery, reason="failed", error="Traceback\n  a line\nValueError: no")
    system.queue.sync()
    return message_id


def noted(system: System, message: str) -> str:
    """Note something down about a contact; return the note's id."""
    conversation = system.conversations.reader.conversation_of(message)
    assert conversation is not None
    note_id = f"note-{secrets.token_hex(8)}"
    assert system.conversations.add_note(conversation, note_id, "asked for João", by="Ana")
    return note_id


def empty_the_attic(system: System) -> None:
    """Leave no message in the queue that no worker consumes."""
    system.queue.resume("attic")
    system.queue.flush("attic")


def audited(system: System) -> list[AuditEntry]:
    with closing(AuditLog(system.directory / "audit.db")) as audit:
        return list(audit.list(limit=1_000))


def problem(answer: httpx.Response, status: int, kind: str) -> dict[str, Any]:
    """Check that an answer is a problem of a kind; return it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert (body["type"], body["status"]) == (f"docs/api-v1.md#{kind}", status)
    assert body["title"]
    assert body["detail"]
    return body


# -- tokens and roles ------------------------------------------------------------------------------------


def test_without_a_valid_token_nothing_is_told(system: System) -> None:
    with plain_http.client(base_url=f"{system.url}/api/v1") as http:
        for header in ("", "Bearer", "Basic YTpi", "Bearer recado_wrong", "recado_wrong"):
            for path in ("/conversations", "/queues", "/nothing", "/conversations/x", "/conversations/x%0Ay"):
                answer = http.get(path, headers={"Authorization": header} if header else {})
                body = problem(answer, 401, "unauthenticated")
                assert "recado tokens create" in body["detail"]
                assert answer.headers["www-authenticate"].startswith("Bearer")
        answer = http.post("/conversations/search", content=b"{" * 10)
        problem(answer, 401, "unauthenticated")


def test_two_tokens_in_one_request_are_none(system: System, tokens: dict[str, str]) -> None:
    headers = [("Authorization", f"Bearer {tokens['admin']}"), ("Authorization", "Bearer recado_other")]
    with plain_http.client(base_url=f"{system.url}/api/v1", headers=headers) as http:
        problem(http.get("/queues"), 401, "unauthenticated")


@pytest.mark.parametrize("operation", OPERATIONS, ids=[f"{method} {path}" for method, path, *_ in OPERATIONS])
def test_each_role_may_do_what_it_may_and_no_more(
    system: System, programs: dict[str, Program], operation: Operation
) -> None:
    method, path, body, needed = operation
    _, message = written(system)
    dead = dead_letter(system)
    reply = programs["admin"].get(f"/conversations/{message}/messages")["items"][0]["reply_id"]
    path = path.format(message=message, reply=reply, dead=dead, note=noted(system, message))

    for role in ROLES:
        answer = programs[role].http.request(method, path, json=body, headers={"Idempotency-Key": role})
        if ROLES.index(role) < ROLES.index(needed):
            detail = problem(answer, 403, "forbidden")["detail"]
            assert f"needs {needed}" in detail
            assert f"--role {needed}" in detail
        elif role == needed:
            assert answer.status_code in {200, 201, 202, 204}, answer.text
        else:  # what was replayed or discarded is no dead letter any more
            assert answer.status_code in {200, 201, 202, 204, 404}, answer.text
    empty_the_attic(system)
    system.settle()


def test_a_revoked_and_an_expired_token_are_refused_at_once(system: System) -> None:
    first = Program(system, token(system, "for-a-while", "reader", "--expires", "1h"))
    with first.http:
        assert first.get("/queues")["items"]
        assert system.run("tokens", "revoke", "for-a-while").returncode == 0
        problem(first.http.get("/queues"), 401, "unauthenticated")

    second = Program(system, token(system, "for-an-hour", "reader", "--expires", "1h"))
    path = system.directory / "api-tokens.json"
    kept = path.read_text()
    fields = json.loads(kept)
    fields["tokens"][-1]["expires_at"] = fields["tokens"][-1]["created_at"]
    path.write_text(json.dumps(fields))
    with second.http:
        assert "expired" in problem(second.http.get("/queues"), 401, "unauthenticated")["detail"]
        path.write_text("no JSON")
        assert "api-tokens.json" in problem(second.http.get("/queues"), 503, "unavailable")["detail"]
        path.write_text(kept)
        assert second.get("/queues")["items"]


def test_the_command_line_keeps_tokens(system: System) -> None:
    secret = token(system, "listed", "operator", "--expires", "90d")

    shown = json.loads(system.run("tokens", "list", "--json").stdout)
    [listed] = [each for each in shown if each["name"] == "listed"]
    assert (listed["role"], listed["expired"]) == ("operator", False)
    assert listed["expires_at"][:4] >= listed["created_at"][:4]
    assert "listed" in system.run("tokens", "list").stdout

    wrong = [
        system.run("tokens", "create", "--name", "listed", "--role", "reader"),
        system.run("tokens", "create", "--name", "two words", "--role", "reader"),
        system.run("tokens", "create", "--name", "x", "--role", "reader", "--expires", "soon"),
        system.run("tokens", "create", "--name", "x", "--role", "reader", "--expires", "9999w"),
        system.run("tokens", "revoke", "nothing"),
    ]
    assert [each.returncode for each in wrong] == [1] * 5
    assert "listed already" in wrong[0].stderr
    assert "90d" in wrong[2].stderr
    assert "listed" in wrong[4].stderr, "the known ones are named"
    assert system.run("tokens", "create", "--name", "x", "--role", "king").returncode == 2
    assert system.run("tokens", "revoke", "listed").returncode == 0
    assert secret not in system.logs()
    actions = {(entry.action, entry.target, entry.origin) for entry in audited(system)}
    assert {("create token (operator)", "listed", "cli"), ("revoke token", "listed", "cli")} <= actions


# -- conversations ---------------------------------------------------------------------------------------


def test_what_was_said_is_found_by_its_words_until_its_contact_is_forgotten(
    system: System, programs: dict[str, Program]
) -> None:
    contact, _ = written(system, "Tem pão de açafrão hoje?")
    other, _ = written(system, "Tem pão francês?")

    def found(text: str) -> list[tuple[str, str]]:
        items = programs["reader"].post("/conversations/search-texts", {"text": text}).json()["items"]
        return [(each["contact"], each["author"]) for each in items]

    assert found("PAO acafrao") == [(contact, "us"), (contact, "contact")], "the echo says it too"
    assert {name for name, _ in found("pão")} == {contact, other}
    assert found("açafrão brioche") == [], "all words have to be there"

    ended = system.run("conversations", "search", "acafrao", "--json")
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert [each["contact"] for each in said["texts"]] == [contact, contact]
    assert said["contacts"] == []
    national = contact.removeprefix("whatsapp:+55")
    by_number = system.run("conversations", "search", f"({national[:2]}) {national[2:]}", "--json")
    [alike] = json.loads(by_number.stdout)["contacts"]
    assert alike["contact"] == contact
    assert "nobody said that" in system.run("conversations", "search", "brioche").stdout

    assert system.run("forget", contact, "--yes").returncode == 0
    assert found("açafrão") == []


def test_conversations_are_listed_found_and_read(system: System, programs: dict[str, Program]) -> None:
    reader = programs["reader"]
    contact, message = written(system, "Tem vaga às 15h?")
    number = contact.removeprefix("whatsapp:+")

    [found] = reader.post("/conversations/search", {"contact": number}).json()["items"]
    assert found["contact"] == contact
    assert found["account"] == system.twilio.sid
    assert (found["mode"], found["mode_reason"], found["unanswered"]) == ("assistant", None, 0)
    assert found["last_author"] == "us"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", found["last_at"])
    assert number not in found["message_id"], "it stands in addresses"
    assert reader.get(f"/conversations/{message}") == found
    assert reader.get(f"/conversations/{found['message_id']}") == found
    assert found in reader.get("/conversations", limit=100)["items"]

    ours, theirs = reader.get(f"/conversations/{message}/messages")["items"]
    assert (theirs["author"], theirs["text"], theirs["message_id"]) == (
        "contact",
        "Tem vaga às 15h?",
        message,
    )
    assert theirs["reply_id"] == ours["reply_id"]
    assert (ours["author"], ours["state"], ours["written_by"]) == ("us", "sent", None)


def test_pages_of_conversations_and_of_messages(system: System, admin: Program) -> None:
    contacts = [system.contact() for _ in range(5)]
    for contact in contacts:
        written(system, contact=contact)
        assert admin.say(found_message(admin, contact), "Oi", key="take", take_over=True).status_code == 202
    system.settle()

    pages = list(admin.pages("/conversations", limit=2, mode="person"))
    shown = [each["contact"] for page in pages for each in page if each["contact"] in contacts]
    assert sorted(shown) == sorted(contacts)
    assert len(shown) == len(set(shown))
    assert all(len(page) == 2 for page in pages[:-1])

    message = written(system, "um", "dois", "três", contact=contacts[0])[1]
    whole = admin.get(f"/conversations/{message}/messages", limit=100)["items"]
    for limit in (1, 2, 3, 100):
        pages = list(admin.pages(f"/conversations/{message}/messages", limit=limit))
        assert [each for page in pages for each in page] == whole, limit
    first = admin.get(f"/conversations/{message}/messages", limit=1)
    written(system, "quatro", contact=contacts[0])
    second = admin.get(f"/conversations/{message}/messages", limit=1, cursor=first["next_cursor"])
    assert second["items"] == whole[1:2], "what came in since has not moved the page"
    for contact in contacts:
        admin.post(f"/conversations/{found_message(admin, contact)}/hand-back")


def found_message(program: Program, contact: str) -> str:
    """Find the name of a contact's conversation."""
    [found] = program.post("/conversations/search", {"contact": contact}).json()["items"]
    return str(found["message_id"])


def test_an_agent_takes_over_answers_and_hands_back(system: System, programs: dict[str, Program]) -> None:
    agent = programs["agent"]
    contact, message = written(system)

    taken = agent.post(f"/conversations/{message}/take").json()
    assert (taken["mode"], taken["mode_reason"]) == ("person", "taken over by a-agent")
    written(system, "Alguém?", contact=contact)
    said = agent.say(message, "Aqui é a Ana", key="1", written_by="Ana")
    assert said.status_code == 202
    system.settle()

    reply = agent.get(said.headers["location"].removeprefix("/api/v1"))
    assert reply["reply_id"] == said.json()["reply_id"]
    assert (reply["state"], reply["text"], reply["kind"]) == ("sent", "Aqui é a Ana", "person")
    assert (reply["contact"], reply["written_by"]) == (contact, "Ana (a-agent)")
    assert system.twilio.bodies_to(contact)[1:] == ["Aqui é a Ana"]

    back = agent.post(f"/conversations/{message}/hand-back").json()
    assert back["mode"] == "assistant"
    assert agent.post(f"/conversations/{message}/hand-back").json()["mode"] == "assistant"
    recorded = [
        (entry.action, entry.target, entry.who, entry.origin, entry.outcome)
        for entry in audited(system)
        if entry.target == message
    ]
    assert recorded[::-1] == [
        ("take over conversation", message, "a-agent", "api", "done"),
        ("answer by hand", message, "a-agent", "api", "done"),
        ("hand back conversation", message, "a-agent", "api", "done"),
        ("hand back conversation", message, "a-agent", "api", "done"),
    ]


def test_nothing_is_said_to_a_contact_who_has_opted_out(system: System, admin: Program) -> None:
    contact, message = written(system, "Oi", "PARAR")
    before = system.twilio.bodies_to(contact)

    problem(admin.say(message, "Oi", key="1"), 409, "opted-out")
    problem(admin.post(f"/conversations/{message}/take"), 409, "opted-out")
    problem(admin.post(f"/conversations/{message}/hand-back"), 409, "opted-out")
    system.settle()

    assert system.twilio.bodies_to(contact) == before
    assert admin.get(f"/conversations/{message}")["mode"] == "nobody"


# -- idempotency -----------------------------------------------------------------------------------------


def test_a_text_is_said_once_for_its_key(system: System, admin: Program) -> None:
    contact, message = written(system)
    path = f"/conversations/{message}/messages"

    body = problem(admin.post(path, {"text": "Oi"}), 422, "invalid")
    assert [part["location"] for part in body["errors"]] == ["header.idempotency-key"]
    answers = [admin.say(message, "Confirmado", key="order-1") for _ in range(3)]
    system.settle()
    answers.append(admin.say(message, "Confirmado", key="order-1"))
    problem(admin.say(message, "Cancelado", key="order-1"), 409, "key-taken")
    other = admin.say(message, "Confirmado", key="order-2")
    system.settle()

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["reply_id"] for answer in answers}) == 1
    assert other.json()["reply_id"] != answers[0].json()["reply_id"]
    assert system.twilio.bodies_to(contact)[1:] == ["Confirmado", "Confirmado"]


@pytest.mark.parametrize("texts", [["Confirmado"], ["Sim", "Não"]], ids=["one text", "two texts"])
def test_requests_at_the_same_time_say_one_text(system: System, admin: Program, texts: list[str]) -> None:
    contact, message = written(system)

    with ThreadPoolExecutor(8) as threads:
        answers = list(
            threads.map(lambda n: (n, admin.say(message, texts[n % len(texts)], key="once")), range(8))
        )
    system.settle()

    [said] = system.twilio.bodies_to(contact)[1:]
    for number, answer in answers:
        if texts[number % len(texts)] == said:
            assert answer.status_code == 202, answer.text
        else:
            problem(answer, 409, "key-taken")
    assert len({answer.json()["reply_id"] for _, answer in answers if answer.status_code == 202}) == 1
    for letter in system.dead_letters("say_by_hand"):  # of a text that lost, and whose caller was told so
        system.run("dead", "discard", letter.message_id)


# -- notes -----------------------------------------------------------------------------------------------


def test_notes_are_added_listed_and_deleted(system: System, programs: dict[str, Program]) -> None:
    agent = programs["agent"]
    _, message = written(system)
    path = f"/conversations/{message}/notes"
    assert agent.get(path) == {"items": [], "next_cursor": None}

    made = [
        agent.http.post(
            path, json={"text": f"note {number}", **more}, headers={"Idempotency-Key": f"{number}"}
        )
        for number, more in enumerate(({}, {"written_by": "Ana"}, {}))
    ]

    assert [each.status_code for each in made] == [201] * 3
    first, second, third = (each.json() for each in made)
    assert (second["text"], second["written_by"]) == ("note 1", "Ana (a-agent)")
    assert first["written_by"] == "a-agent"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", first["at"])
    assert made[0].headers["location"] == f"/api/v1{path}/{first['note_id']}"
    assert agent.get(path)["items"] == [third, second, first], "newest first"
    assert list(agent.pages(path, limit=1)) == [[third], [second], [first]]

    again = agent.http.post(path, json={"text": "note 0"}, headers={"Idempotency-Key": "0"})
    assert (again.status_code, again.json()) == (201, first), "it is noted once"
    other = agent.http.post(path, json={"text": "another"}, headers={"Idempotency-Key": "0"})
    problem(other, 409, "key-taken")
    _, elsewhere = written(system)
    same_key = agent.http.post(
        f"/conversations/{elsewhere}/notes", json={"text": "of another"}, headers={"Idempotency-Key": "0"}
    )
    assert same_key.status_code == 201, "a key is of a conversation"

    assert agent.http.delete(f"{path}/{second['note_id']}").status_code == 204
    problem(agent.http.delete(f"{path}/{second['note_id']}"), 404, "not-found")
    problem(agent.http.delete(f"{path}/{same_key.json()['note_id']}"), 404, "not-found")
    assert agent.get(path)["items"] == [third, first]
    [kept] = agent.get(f"/conversations/{elsewhere}/notes")["items"]
    assert kept == same_key.json()
    actions = [(entry.who, entry.action, entry.outcome) for entry in audited(system)]
    assert ("a-agent", "delete note", "done") in actions
    assert not any("note 0" in f"{entry.target} {entry.details}" for entry in audited(system))


def test_a_cursor_of_a_note_that_was_deleted_hides_none(system: System, programs: dict[str, Program]) -> None:
    agent = programs["agent"]
    _, message = written(system)
    path = f"/conversations/{message}/notes"
    for number in range(3):
        agent.http.post(path, json={"text": f"note {number}"}, headers={"Idempotency-Key": f"{number}"})
    first = agent.get(path, limit=2)
    last_shown = first["items"][-1]
    assert agent.http.delete(f"{path}/{last_shown['note_id']}").status_code == 204

    rest = agent.get(path, limit=2, cursor=first["next_cursor"])["items"]

    assert rest[-1]["text"] == "note 0"


@pytest.mark.parametrize(
    ("body", "key", "status"),
    [
        ({"text": ""}, "a", 422),
        ({"text": "  "}, "a", 422),
        ({"text": "x" * 2_001}, "a", 422),
        ({"text": "x", "more": 1}, "a", 422),
        ({"text": "x"}, "", 422),
        ({"text": "x", "written_by": ""}, "a", 422),
    ],
)
def test_a_note_that_is_none_is_refused(
    system: System, programs: dict[str, Program], body: dict[str, Any], key: str, status: int
) -> None:
    agent = programs["agent"]
    _, message = written(system)
    path = f"/conversations/{message}/notes"
    headers = {"Idempotency-Key": key} if key else {}
    problem(agent.http.post(path, json=body, headers=headers), status, "invalid")
    assert agent.get(path)["items"] == []


# -- dead letters and queues -----------------------------------------------------------------------------


def test_dead_letters_are_listed_with_whom_they_are_about(system: System, admin: Program) -> None:
    contact = system.contact()
    ids = [dead_letter(system, f"Oi {number}", contact=contact) for number in range(5)]

    listed = admin.get("/dead-letters", queue="attic", actor="process_ai_response", limit=100)["items"]
    mine = [letter for letter in listed if letter["message_id"] in ids]
    assert {(letter["contact"], letter["text"]) for letter in mine} == {
        (contact, f"Oi {n}") for n in range(5)
    }
    assert {(letter["queue"], letter["reason"], letter["error"]) for letter in mine} == {
        ("attic", "failed", "ValueError: no")
    }
    for limit in (1, 2, 100):
        pages = list(admin.pages("/dead-letters", queue="attic", limit=limit))
        shown = [letter["message_id"] for page in pages for letter in page]
        assert shown == [letter["message_id"] for letter in listed], limit
    assert admin.get("/dead-letters", queue="nothing")["items"] == []

    one = admin.get(f"/dead-letters/{ids[0]}")
    assert one["traceback"] == "Traceback\n  a line\nValueError: no"
    assert json.loads(one["payload"])["actor_name"] == "process_ai_response"
    for message_id in ids:
        assert admin.http.delete(f"/dead-letters/{message_id}").status_code == 204


def test_pages_of_dead_letters_go_on_while_they_are_seen_to(system: System, admin: Program) -> None:
    for _ in range(6):
        dead_letter(system)
    whole = admin.get("/dead-letters", queue="attic")["items"]
    assert len(whole) == 6
    first = admin.get("/dead-letters", queue="attic", limit=3)
    assert first["items"] == whole[:3]
    for letter in first["items"]:
        assert admin.http.delete(f"/dead-letters/{letter['message_id']}").status_code == 204
    dead_letter(system)

    second = admin.get("/dead-letters", queue="attic", limit=3, cursor=first["next_cursor"])

    assert second["items"] == whole[3:]
    empty_the_attic(system)


def test_a_dead_letter_is_replayed_or_discarded_once(system: System, admin: Program) -> None:
    replayed, discarded = dead_letter(system), dead_letter(system)

    assert admin.post(f"/dead-letters/{replayed}/replay").status_code == 204
    assert admin.http.delete(f"/dead-letters/{discarded}").status_code == 204

    stored = system.queue.get(replayed)
    assert stored is not None
    assert stored.state == "ready"
    assert system.queue.get(discarded) is None
    for message_id in (replayed, discarded, "nothing"):
        problem(admin.http.get(f"/dead-letters/{message_id}"), 404, "not-found")
        problem(admin.post(f"/dead-letters/{message_id}/replay"), 404, "not-found")
        problem(admin.http.delete(f"/dead-letters/{message_id}"), 404, "not-found")
    empty_the_attic(system)
    done = {(entry.action, entry.target, entry.who) for entry in audited(system)}
    assert ("replay dead letter", replayed, "a-admin") in done
    assert ("discard dead letter", discarded, "a-admin") in done
    assert not any(entry.target == "nothing" for entry in audited(system))


def test_a_dead_letter_that_nobody_can_read_is_shown_all_the_same(system: System, admin: Program) -> None:
    message_id = system.enqueue("attic", "process_ai_response", "\U0001f600" * 3, [1], {"a": None})
    [delivery] = system.queue.dequeue("attic", limit=1, timeout_s=PATIENCE_S)
    system.queue.nack(delivery, reason="undecodable", error=None)
    system.queue.sync()

    shown = admin.get(f"/dead-letters/{message_id}")

    assert (shown["contact"], shown["text"], shown["error"], shown["traceback"]) == (None, None, None, None)
    half = dead_letter(system, "Oi \ud800", contact="whatsapp:+551190000\udfff")
    assert admin.get(f"/dead-letters/{half}")["text"] == "Oi ?"
    assert admin.get("/dead-letters", queue="attic")["items"]
    empty_the_attic(system)


def test_queues_are_counted_paused_and_resumed(system: System, admin: Program) -> None:
    dead = dead_letter(system)

    def attic() -> dict[str, Any]:
        [found] = [queue for queue in admin.get("/queues")["items"] if queue["queue"] == "attic"]
        return dict(found)

    eventually(lambda: attic()["dead"] >= 1)
    assert attic()["paused"] is False
    for _ in range(2):
        assert admin.post("/queues/attic/pause").status_code == 204
        assert attic()["paused"] is True
    for _ in range(2):
        assert admin.post("/queues/attic/resume").status_code == 204
        assert attic()["paused"] is False
    detail = problem(admin.post("/queues/nothing/pause"), 404, "not-found")["detail"]
    assert "attic" in detail
    assert admin.http.delete(f"/dead-letters/{dead}").status_code == 204


def test_commands_are_recorded_too(system: System) -> None:
    contact, message = written(system)
    dead = [dead_letter(system) for _ in range(3)]
    for arguments in (
        *(
            ("conversations", "take", contact),
            ("say", contact, "Oi"),
            ("conversations", "hand-back", contact),
        ),
        *(("queues", "pause", "attic"), ("queues", "resume", "attic")),
        *(("dead", "discard", dead[0]), ("dead", "discard", *dead[1:], "nothing")),
    ):
        system.run(*arguments)
    system.settle()

    entries = [entry for entry in audited(system) if entry.origin == "cli" and "token" not in entry.action]
    assert [(entry.action, entry.target) for entry in entries[:7]][::-1] == [
        ("take over conversation", message),
        ("answer by hand", message),
        ("hand back conversation", message),
        ("pause queue", "attic"),
        ("resume queue", "attic"),
        ("discard dead letters", dead[0]),
        ("discard dead letters", "3 that were named or matched"),
    ]
    assert (entries[0].done, entries[0].failed, entries[0].expected) == (2, 1, 3)
    assert all(entry.who and entry.address and entry.outcome == "done" for entry in entries[:7])


# -- what is wrong with a request ------------------------------------------------------------------------


def test_what_is_wrong_is_told(system: System, admin: Program) -> None:
    _, message = written(system)
    say = f"/conversations/{message}/messages"
    key = {"Idempotency-Key": "x"}
    as_json = {"Content-Type": "application/json", **key}

    problem(admin.http.get("/nothing"), 404, "not-found")
    problem(admin.http.get("/"), 404, "not-found")
    problem(admin.http.get("/conversations/"), 404, "not-found")
    problem(admin.http.get("/conversations/nothing"), 404, "not-found")
    problem(admin.http.get("/conversations/no%0Athing"), 404, "not-found")
    problem(admin.http.get("/conversations/%00%ff"), 404, "not-found")
    problem(admin.http.get("/replies/nothing"), 404, "not-found")
    refused = admin.http.delete("/queues")
    problem(refused, 405, "method-not-allowed")
    assert refused.headers["allow"] == "GET"
    assert admin.http.put(say).headers["allow"] == "GET, POST"
    problem(admin.http.get("/conversations", params={"limit": 0}), 422, "invalid")
    problem(admin.http.get("/conversations", params={"limit": "9" * 5_000}), 422, "invalid")
    problem(admin.http.get("/conversations", params={"mode": "king"}), 422, "invalid")
    problem(admin.http.get("/conversations", params={"cursor": "none"}), 422, "invalid")
    problem(admin.http.get(say, params={"cursor": "none"}), 422, "invalid")
    misspelt = problem(admin.http.get("/conversations", params={"moode": "person"}), 422, "invalid")
    assert "cursor, limit, mode" in misspelt["detail"]
    problem(admin.http.post(say, content=b"", headers=as_json), 422, "invalid")
    problem(admin.http.post(say, content=b"{", headers=as_json), 422, "invalid")
    problem(admin.http.post(say, content=b"\xff", headers=as_json), 422, "invalid")
    problem(admin.http.post(say, content=b"[" * 60_000, headers=as_json), 422, "invalid")
    problem(admin.http.post(say, content=b'{"text": "\\ud800"}', headers=as_json), 422, "invalid")
    problem(admin.http.post(say, content=b'{"text": "Oi"}', headers=key), 422, "invalid")
    texts: list[Any] = ["", " \n", 1, None, "a" * 8_001]
    bodies: list[Any] = [{}, {"txt": "Oi"}, [], None, *({"text": text} for text in texts)]
    for body in bodies:
        problem(admin.http.post(say, json=body, headers=key), 422, "invalid")
    for wrong in ("a b", "a" * 201, "olá".encode().decode("latin-1")):
        answer = admin.http.post(
            say, json={"text": "Oi"}, headers=[(b"Idempotency-Key", wrong.encode("latin-1"))]
        )
        problem(answer, 422, "invalid")
    problem(admin.http.post(say, content=b" " * 65_537, headers=as_json), 413, "too-large")
    system.settle()
    assert system.dead_letters("say_by_hand") == []


def test_an_answer_does_not_repeat_what_was_sent(system: System, admin: Program) -> None:
    _, message = written(system)

    answer = admin.say(message, "Oi", key="x", secret="+5511900004321")

    assert "+5511900004321" not in json.dumps(problem(answer, 422, "invalid"))


def test_a_request_has_an_id_by_which_its_log_lines_are_found(system: System, admin: Program) -> None:
    contact, message = written(system)

    answer = admin.http.post(
        f"/conversations/{message}/messages",
        json={"text": "Oi"},
        headers={"Idempotency-Key": "x", "X-Request-Id": "from-the-crm"},
    )
    system.settle()

    assert answer.headers["x-request-id"] == "from-the-crm"
    events = {line["event"] for line in system.logged(request_id="from-the-crm")}
    assert {"answer by hand", "a person writes", "reply sent"} <= events
    assert system.logged(event="answer by hand", token="a-admin")
    assert contact.removeprefix("whatsapp:") not in system.logs()


def test_the_document_is_open_to_all(system: System) -> None:
    answer = plain_http.get(f"{system.url}/api/v1/openapi.json")

    assert answer.status_code == 200
    assert answer.json()["openapi"].startswith("3.1")
    problem(plain_http.post(f"{system.url}/api/v1/openapi.json"), 405, "method-not-allowed")


# -- its own settings ------------------------------------------------------------------------------------


def test_too_many_requests_wait(tmp_path: Path, twilio: FakeTwilio) -> None:
    with System(tmp_path, twilio, AI_PROVIDER="echo", API_V1_REQUESTS_PER_MINUTE="3") as system:
        system.api()
        one, other = (Program(system, token(system, name, "reader")) for name in ("one", "other"))
        with one.http, other.http:
            assert [one.http.get("/queues").status_code for _ in range(3)] == [200] * 3
            refused = one.http.get("/queues")
            assert "API_V1_REQUESTS_PER_MINUTE" in problem(refused, 429, "too-many-requests")["detail"]
            assert 1 <= int(refused.headers["retry-after"]) <= 20
            assert other.http.get("/queues").status_code == 200, "each token has its own"


def test_without_any_token_the_answer_says_how_to_make_one(tmp_path: Path, twilio: FakeTwilio) -> None:
    with System(tmp_path, twilio, AI_PROVIDER="echo", DASHBOARD_ENABLED="false") as system:
        system.api()

        answer = plain_http.get(f"{system.url}/api/v1/queues", headers={"Authorization": "Bearer recado_x"})

        assert "recado tokens create" in problem(answer, 401, "unauthenticated")["detail"]
        assert plain_http.get(f"{system.url}/readyz").json() == {"status": "ok"}
        assert not (tmp_path / "audit.db").exists()
        assert not (tmp_path / "api-tokens.json").exists()


def test_what_cannot_be_recorded_is_not_done_but_by_a_command(tmp_path: Path, twilio: FakeTwilio) -> None:
    nowhere = tmp_path / "nowhere"
    with System(
        tmp_path, twilio, AI_PROVIDER="echo", DASHBOARD_AUDIT_PATH=str(nowhere / "audit.db")
    ) as system:
        nowhere.write_text("a file, where a directory would have to be")
        system.api()
        system.enqueue("attic", "work")
        program = Program(system, token(system, "crm", "admin"))
        with program.http:
            problem(program.post("/queues/attic/pause"), 503, "unavailable")
            assert not any(stats.paused for stats in system.queue.stats())

            by_command = system.run("queues", "pause", "attic")
            assert by_command.returncode == 0
            assert "not recorded" in by_command.stderr
            assert any(stats.paused for stats in system.queue.stats())


def test_the_engine_is_away(tmp_path: Path, twilio: FakeTwilio) -> None:
    with (
        RedisServer(tmp_path) as server,
        System(tmp_path, twilio, QUEUE_BACKEND="redis", REDIS_URL=server.url, AI_PROVIDER="echo") as system,
    ):
        system.api()
        system.worker()
        contact, message = written(system)
        program = Program(system, token(system, "crm", "admin"))
        with program.http:
            server.kill()
            # Counts that an earlier request made are shown for some seconds.
            eventually(lambda: program.http.get("/queues").status_code != 200)
            for path in (
                "/conversations",
                f"/conversations/{message}",
                "/replies/x",
                "/dead-letters",
                "/queues",
            ):
                answer = program.http.get(path)
                problem(answer, 503, "unavailable")
                assert int(answer.headers["retry-after"]) > 0
            problem(program.say(message, "Oi", key="1"), 503, "unavailable")
            problem(program.post("/queues/messages/pause"), 503, "unavailable")
            server.start()
            eventually(
                lambda: program.say(message, "Oi", key="1").status_code == 202,
                within_s=PATIENCE_S,
                every_s=0.2,
            )
            eventually(
                lambda: system.twilio.bodies_to(contact)[1:] == ["Oi"], within_s=PATIENCE_S, every_s=0.1
            )


def test_an_api_that_has_not_opened_its_queue_says_so(tmp_path: Path, twilio: FakeTwilio) -> None:
    with System(tmp_path, twilio, AI_PROVIDER="echo") as system:
        made = token(system, "crm", "reader")
        with closing(apsw.Connection(system.settings["QUEUE_SQLITE_DB_PATH"])) as other:
            other.execute("BEGIN EXCLUSIVE")  # a backup, or an operator's shell
            url = str(system.api().event("Uvicorn running on ")["event"]).split()[3]

            answer = plain_http.get(f"{url}/api/v1/queues", headers={"Authorization": f"Bearer {made}"})

            problem(answer, 503, "unavailable")


# -- usage -----------------------------------------------------------------------------------------------


def test_what_was_used_is_told_by_what_a_program_asks_for(system: System, admin: Program) -> None:
    contact, _ = written(system)

    [today] = admin.get("/usage")["items"]
    assert today["replies"] >= today["segments"] >= 1
    assert (today["cost"], today["unpriced_answers"], today["address"]) == (0, 0, None)
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", today["name"])
    models = {item["name"]: item for item in admin.get("/usage", by="model")["items"]}
    assert models["echo"]["replies"] >= 1
    contacts = [item for page in admin.pages("/usage", by="contact", limit=1) for item in page]
    [own] = [item for item in contacts if item["name"] == contact]
    assert (own["replies"], own["address"]) == (1, ADDRESS)
    assert admin.get("/usage", since="2020-01-01", until="2020-01-31")["items"] == []
    page = admin.get("/usage", by="contact", limit=1)
    assert (
        contact.removeprefix("whatsapp:+")
        not in base64.urlsafe_b64decode((page["next_cursor"] or "") + "==").decode()
    )
    for wrong in ({"since": "yesterday"}, {"until": "20260101"}, {"by": "week"}, {"since": "0"}):
        problem(admin.http.get("/usage", params=wrong), 422, "invalid")


def test_what_a_model_was_asked_is_told_of_replies_that_a_model_wrote(system: System, admin: Program) -> None:
    contact, message = written(system)
    [ours, _] = admin.get(f"/conversations/{message}/messages")["items"]

    call = admin.get(f"/replies/{ours['reply_id']}/model-call")

    assert (call["model"], call["cost"], call["prompt"], call["tool_calls"]) == ("echo", None, None, [])
    assert call["seconds"] >= 0
    said = admin.say(message, "Oi", key="by-hand").json()["reply_id"]
    system.settle()
    problem(admin.http.get(f"/replies/{said}/model-call"), 404, "not-found")
    problem(admin.http.get("/replies/nothing/model-call"), 404, "not-found")
    assert contact


# -- the page's examples ---------------------------------------------------------------------------------


def commands(page: str) -> list[list[str]]:
    """The `curl` commands of a page, split into words."""
    found = re.findall(r"```shell\n(.*?)```", page, re.DOTALL)
    lines = "".join(found).replace("\\\n", " ").splitlines()
    return [shlex.split(line) for line in lines if line.startswith("curl ")]


def test_the_examples_of_the_page_do_what_it_says(system: System, tokens: dict[str, str]) -> None:
    _, message = written(system)
    first, second = dead_letter(system), dead_letter(system)
    conversation = system.conversations.reader.conversation_of(message)
    assert conversation is not None
    answer_id = system.conversations.reader.thread(conversation)[-1].reply_id
    assert answer_id is not None
    values = {
        "$ANSWER_ID": answer_id,
        "$RECADO": system.url,
        "$TOKEN": tokens["operator"],
        "$MESSAGE_ID": message,
        "$OTHER_DEAD_ID": second,
        "$DEAD_ID": first,
    }
    examples = commands((ROOT / "docs" / "api-v1.md").read_text())
    assert len(examples) >= 15
    for words in examples:
        answer = run_curl([_filled(word, values) for word in words])
        assert answer.status_code in {200, 201, 202, 204}, (words, answer.text)
        if answer.status_code == 201:
            values["$NOTE_ID"] = answer.json()["note_id"]
        if answer.status_code == 202:
            values["$REPLY_ID"] = answer.json()["reply_id"]
    empty_the_attic(system)
    system.settle()


def _filled(word: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        word = word.replace(name, value)
    return word


def run_curl(words: list[str]) -> httpx.Response:
    """Do what `curl` does with these words."""
    method, url, body, headers = "", "", None, httpx.Headers()
    rest = iter(words[1:])
    for word in rest:
        if word == "-X":
            method = next(rest)
        elif word == "-d":
            body = next(rest)
        elif word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        else:
            url = word
    with plain_http.client(timeout=PATIENCE_S) as http:
        return http.request(method or ("GET" if body is None else "POST"), url, content=body, headers=headers)

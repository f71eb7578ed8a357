"""The dashboard in Portuguese: every page, whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html.parser import HTMLParser
from pathlib import Path

import pytest

from api.dashboard.language.languages import ENGLISH, LANGUAGES, use
from api.dashboard.rendering.render import part
from tests.browser.scene import MARIA, conversation_with, furnish, scene, start
from tests.catalogues.catalogues import PATHS, forms, read
from tests.fakes.twilio import FakeTwilio
from tests.supervisor.stage import Stage
from tests.support.waiting import eventually

from .test_dashboard import PASSWORDS, Browser

#: Contacts who asked for a person, who want no messages, and whom a reply did not reach.
ASKED, OPTED_OUT, NOT_REACHED = (f"whatsapp:+55119000077{number}" for number in (11, 22, 33))

#: Attributes that people read, or that scripts show.
READ = frozenset(
    {"aria-label", "placeholder", "title", "alt", "data-at", "data-empty", "data-none", "data-off", "data-on"}
    | {"data-unknown", "data-words"}
)

#: Elements of which nobody reads the text.
_UNREAD = frozenset({"script", "style", "code", "pre"})

#: What is named like a text of the catalogue, and is no text: the queues.
NAMES = frozenset({"messages", "replies"})


class Texts(HTMLParser):
    """Collects what people read of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.language = ""
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        named = dict(attrs)
        self.found += [value for name, value in named.items() if name in READ and value]
        if tag == "html":
            self.language = named.get("lang") or ""

    def handle_endtag(self, tag: str) -> None:
        while tag in self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        text = " ".join(data.split())
        if text and not _UNREAD & set(self._open):
            self.found.append(text)


def texts_of(page: str) -> Texts:
    texts = Texts()
    texts.feed(page)
    return texts


@pytest.fixture(scope="module")
def english() -> Sequence[re.Pattern[str]]:
    """What each text of the catalogues looks like, values put in, where its translation looks otherwise."""
    [path] = PATHS
    originals = {
        one
        for message in read(path)
        if message.id and forms(message)[0] != forms(message)[1]
        for one in forms(message)[0]
    }
    pieces = {piece.strip() for one in originals for piece in re.split("<[^>]*>", one)}
    return [
        re.compile(_form(piece))
        for piece in pieces | originals
        if re.search("[A-Za-z]{3}", _PLACE.sub("", piece)) and piece not in NAMES
    ]


#: Where a text has a value: `{n}` and `%(n)s` a number, all others anything.
_PLACE = re.compile(r"%\((\w+)\)s|\{([\w:,]+)\}")


def _form(text: str) -> str:
    """What a text looks like with its values."""
    form, end = "", 0
    for place in _PLACE.finditer(text):
        form += re.escape(text[end : place.start()].replace("%%", "%"))
        form += "[0-9.,]+" if "n" in place.groups() else ".+"
        end = place.end()
    return form + re.escape(text[end:].replace("%%", "%"))


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A shop that has been open for a while, and has everything that a page can show."""
    with FakeTwilio() as twilio, scene(tmp_path_factory.mktemp("shop"), twilio) as stage:
        start(stage)
        furnish(stage)
        for contact, text in ((ASKED, "atendente"), (OPTED_OUT, "PARAR"), (NOT_REACHED, "Oi")):
            stage.write(text, sender=contact)
        eventually(lambda: conversation_with(stage, ASKED).mode == "person")
        eventually(lambda: conversation_with(stage, OPTED_OUT).mode == "nobody")
        eventually(lambda: len(stage.twilio.bodies_to(NOT_REACHED)) == 1)
        [message] = stage.twilio.sent_to(NOT_REACHED)
        stage.twilio.report(message, "undelivered", through=stage.url, error_code=30008)
        eventually(lambda: conversation_with(stage, NOT_REACHED).state == "undelivered")
        yield stage


@pytest.fixture
def somebody(stage: Stage) -> Iterator[Browser]:
    """A browser whose language is Brazilian Portuguese."""
    visitor = Browser(stage.url, **{"Accept-Language": "pt-BR,pt;q=0.9,en;q=0.8"})
    with visitor.http:
        yield visitor


def pages(stage: Stage) -> Iterator[str]:
    letters = stage.dead_letters()
    [report, *_] = stage.queue.list("reports", "delayed")
    yield from ("", "attention", "conversations", "dead-letters", "audit", "keys", "write", "nothing")
    yield from (f"conversations?which={which}" for which in ("waiting", "unread", "person", "assistant"))
    yield from (f"conversations?which={which}" for which in ("nobody", "undelivered"))
    yield from (f"usage?by={by}" for by in ("day", "number", "model", "contact"))
    yield from (f"queues/messages?state={state}" for state in ("ready", "running", "delayed", "dead"))
    yield from ("queues/receipts?state=dead", "queues/reports?state=delayed", "queues/nothing")
    yield from ("queues/messages?text=nothing+like+that", "dead-letters?text=cpf")
    yield "dead-letters?queue=receipts&since=1h"
    yield from (f"messages/{letter.message_id}" for letter in letters)
    yield from (f"messages/{report.message_id}", "messages/nothing")
    for contact in (MARIA, ASKED, OPTED_OUT, NOT_REACHED):
        message_id = conversation_with(stage, contact).message_id
        yield from (f"conversations/{message_id}", f"conversations/{message_id}?around=1")
        yield from (f"conversations/{message_id}/erase", f"messages/{message_id}")
        thread = stage.conversations.reader.thread(conversation_with(stage, contact).conversation)
        for entry in thread[-3:]:
            if entry.reply_id is not None:
                yield from (f"replies/{entry.reply_id}", f"replies/{entry.reply_id}/model-call")


def wrong(texts: Texts, english: Sequence[re.Pattern[str]], where: str) -> list[str]:
    """What of a page is English."""
    found = [
        f"{where}: {text} ({pattern.pattern})"
        for text in texts.found
        for pattern in english
        if pattern.fullmatch(text)
    ]
    return [*found, f"{where}: lang={texts.language}"] if texts.language not in {"", "pt-BR"} else found


def test_no_page_has_an_english_text(
    stage: Stage, somebody: Browser, english: Sequence[re.Pattern[str]]
) -> None:
    found: list[str] = []
    for path in pages(stage):
        somebody.get(f"/dashboard/{path}")
        assert texts_of(somebody.page).language == "pt-BR", path
        found += wrong(texts_of(somebody.page), english, path)
    assert not found, "\n".join(found)


def test_the_answers_to_forms_are_in_portuguese_too(
    stage: Stage, somebody: Browser, english: Sequence[re.Pattern[str]]
) -> None:
    letter = next(each for each in stage.dead_letters() if each.actor == "send_receipt")
    maria = f"/dashboard/conversations/{conversation_with(stage, MARIA).message_id}"
    refused = f"/dashboard/conversations/{conversation_with(stage, OPTED_OUT).message_id}"
    forms: list[tuple[str, dict[str, str]]] = [
        ("/dashboard/conversations/search", {"text": "entrega"}),
        ("/dashboard/conversations/search", {"text": "girafas"}),
        ("/dashboard/dead-letters/confirm", {"action": "discard", "every": "1", "queue": "receipts"}),
        ("/dashboard/dead-letters/confirm", {"action": "replay", "id": letter.message_id}),
        ("/dashboard/dead-letters/confirm", {}),
        ("/dashboard/dead-letters/continue", {"entry": "999"}),
        (f"/dashboard/messages/{letter.message_id}/reveal", {}),
        (f"{maria}/note", {}),
        (f"{refused}/take", {}),
        (f"{refused}/say", {"text": "Oi"}),
        ("/dashboard/write", {"contact": "123"}),
    ]
    found: list[str] = []
    for path, fields in forms:
        somebody.get("/dashboard/dead-letters")
        answer = somebody.post(path, None, **fields)
        assert answer.status_code in {200, 404, 409, 422}, path
        found += wrong(texts_of(answer.text), english, f"{path} {fields}")
    unsafe = somebody.post("/dashboard/write", headers={"Sec-Fetch-Site": "cross-site"})
    assert unsafe.status_code == 403
    found += wrong(texts_of(unsafe.text), english, "cross-site")
    assert not found, "\n".join(found)


def test_what_is_pushed_to_an_open_page_is_in_its_language(
    stage: Stage, somebody: Browser, english: Sequence[re.Pattern[str]]
) -> None:
    maria = conversation_with(stage, MARIA).message_id
    streams = ["of=overview", "of=dead", "of=queue&queue=receipts&state=dead", "of=inbox&which="]
    for query in (*streams, f"of=conversation&id={maria}&which="):
        with somebody.http.stream("GET", f"/dashboard/events?{query}") as answer:
            pushed = next(chunk for chunk in answer.iter_text() if "event:" in chunk)
        fragments = texts_of(re.sub("(?m)^(data: |event: .*|retry: .*)", "", pushed))
        assert fragments.found
        assert not wrong(fragments, english, query)


def test_a_language_is_picked_without_scripts_and_remembered(stage: Stage) -> None:
    with Browser(stage.url).http as http:
        page = http.get("/dashboard/queues/reports?state=delayed").text
        assert texts_of(page).language == "en"
        [link] = re.findall(r'href="(/dashboard/language/[^"]+)"', page)
        answer = http.get(link)
        assert answer.headers["location"] == "/dashboard/queues/reports?state=delayed"
        assert texts_of(http.get("/dashboard/").text).language == "pt-BR"
        back = http.get("/dashboard/language/en?next=https://evil.example/")
        assert back.headers["location"] == "/dashboard/"
        assert texts_of(http.get("/dashboard/").text).language == "en"
        assert "set-cookie" not in http.get("/dashboard/language/klingon").headers


def test_the_page_of_a_form_leads_back_to_the_page_above_it(stage: Stage, somebody: Browser) -> None:
    maria = f"/dashboard/conversations/{conversation_with(stage, MARIA).message_id}"
    somebody.get(maria)
    [link] = re.findall(r'href="(/dashboard/language/[^"]+)"', somebody.post(f"{maria}/reveal").text)
    assert somebody.get(link.replace("&amp;", "&")).headers["location"] == maria
    assert texts_of(somebody.get(maria).text).language == "en"


def test_the_sign_in_page_has_it_too_and_a_setting_chooses(
    tmp_path: Path, twilio: FakeTwilio, english: Sequence[re.Pattern[str]]
) -> None:
    with scene(tmp_path, twilio, DASHBOARD_LANGUAGE="pt-BR", **PASSWORDS) as stage:
        start(stage)
        visitor = Browser(stage.url)
        with visitor.http:
            visitor.get("/dashboard/login?next=%2Fdashboard%2Fusage")
            assert not wrong(texts_of(visitor.page), english, "login")
            assert "Senha" in visitor.page
            refused = visitor.post("/dashboard/login", password="not this one")
            assert "A senha não é essa." in refused.text
            [link] = re.findall(r'href="(/dashboard/language/[^"]+)"', visitor.page)
            location = visitor.get(link).headers["location"]
            assert location == "/dashboard/login?next=/dashboard/usage"
            assert "Password" in visitor.get(location).text


def test_the_walk_would_find_an_english_text(english: Sequence[re.Pattern[str]]) -> None:
    with use(ENGLISH):
        page = part("closed.html", title="Not found", text="There is no queue 'x'.")
    texts = [each.partition(" (")[0] for each in wrong(texts_of(page), english, "here")]
    assert set(texts) == {"here: Not found", "here: There is no queue 'x'.", "here: lang=en"}
    with use(LANGUAGES["pt-BR"]):
        assert not wrong(texts_of(part("closed.html", title="Nada", text="Nada.")), english, "here")

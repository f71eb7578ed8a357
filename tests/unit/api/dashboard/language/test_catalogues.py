"""The catalogues are whole, and fit what they translate."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from string import Formatter

import pytest
from babel.messages.catalog import Message
from babel.messages.mofile import write_mo

from api.dashboard.language.catalogue import LOCALE
from api.dashboard.language.languages import ENGLISH, LANGUAGES
from api.dashboard.language.stored import TEXTS, all_texts
from tests.catalogues.catalogues import DASHBOARD, PATHS, blanks, forms, read, refreshed
from tests.support.system import ROOT

#: What is the same in every language: names.
SAME = frozenset({"Recado"})

TEMPLATES = sorted((DASHBOARD / "templates").rglob("*.html"))

catalogues = pytest.mark.parametrize("path", PATHS, ids=[path.parts[-3] for path in PATHS])

#: What templates put values into; `%%` is a sign of percent.
_PERCENT = re.compile(r"%\(\w+\)s|%%")
_TAG = re.compile(r"<[^>]*>")

#: What is not written as it stands in a template.
_JINJA = re.compile(r"{% trans .*?{% endtrans %}|{%.*?%}|{{.*?}}|{#.*?#}", re.DOTALL)


def test_every_language_but_english_has_one() -> None:
    languages = {path.relative_to(LOCALE).parts[0].replace("_", "-") for path in PATHS}
    assert languages == set(LANGUAGES) - {ENGLISH.tag}


@catalogues
def test_it_has_every_text_and_no_other(path: Path) -> None:
    """Where it has not: `make messages`, then translate what that names, then `make messages` again."""
    has = {(message.context, str(message.id)) for message in read(path)}
    wanted = {(message.context, str(message.id)) for message in refreshed(path)}
    assert has == wanted
    assert not blanks(refreshed(path))


@catalogues
def test_what_is_read_at_run_time_is_what_translators_wrote(path: Path) -> None:
    written = BytesIO()
    write_mo(written, read(path))
    assert path.with_suffix(".mo").read_bytes() == written.getvalue(), "`make messages` writes it"


def places(text: str) -> list[str]:
    """The places for values in a text, and its tags."""
    named = [f"{{{name}}}" for _, name, _, _ in Formatter().parse(text) if name] if "{" in text else []
    return sorted([*named, *_PERCENT.findall(text), *_TAG.findall(text)])


@catalogues
def test_a_translation_has_the_same_places_and_tags(path: Path) -> None:
    def wrong(message: Message) -> Iterator[str]:
        originals, translations = forms(message)
        for translation in translations:
            if all(places(translation) != places(original) for original in originals):
                yield f"{originals}: {translation}"
            # Templates write a translation as it is, also into attributes.
            if re.search(r'["&<>]', _TAG.sub("", translation)):
                yield f"{originals}: a sign of HTML"
            ends = {originals[0][-1:], translation[-1:]}
            if translation != translation.strip() or (len(ends) > 1 and ends & set(".:…?")):
                yield f"{originals}: another end"

    assert not [why for message in read(path) if message.id for why in wrong(message)]


def test_both_guides_name_what_the_pages_say() -> None:
    """What is bold or in italics in a guide is a text of a page, and the same one in both languages."""
    [path] = PATHS
    translations = {forms(message)[0][0]: forms(message)[1][0] for message in read(path) if message.id}
    named = [
        re.findall(r"\*{1,2}([^*]+)\*{1,2}", (ROOT / "docs" / name).read_text())
        for name in ("guide.md", "guide.pt-BR.md")
    ]
    assert [translations.get(text, text) for text in named[0]] == named[1]
    assert "Hand back to the assistant" in named[0]


@pytest.mark.parametrize("template", TEMPLATES, ids=[path.name for path in TEMPLATES])
def test_a_template_has_no_text_that_cannot_be_translated(template: Path) -> None:
    bare = _JINJA.sub("\0", template.read_text())
    attributes = [
        value
        for tag in _TAG.findall(bare)
        for value in re.findall(
            r'\b(?:aria-label|placeholder|title|alt|data-(?:at|empty|none|o[nf]f?|unknown|words))="([^"]*)"',
            tag,
        )
    ]
    texts = [*_TAG.sub("\0", bare).split("\0"), *attributes]
    found = {text.strip(" \n·") for text in texts if re.search("[A-Za-z]{2}", text)}
    assert found <= SAME


def test_every_action_of_the_audit_log_is_known() -> None:
    """An action's name is the first text that is handed to what records it."""
    recorders = {"recorded", "_recorded", "record", "record_action", "_change", "_decide", "_switch"}
    names = {
        next((each.value for each in node.args if isinstance(each, ast.Constant)), None)
        for folder in ("api", "ops/commands")
        for path in (ROOT / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and _name(node.func) in recorders
    }
    actions = {name for name in names if isinstance(name, str)}
    assert {"send again", "sign in", "pause queue", "revoke token", "discard dead letter"} <= actions
    assert actions <= {*all_texts(), *TEXTS, "pause", "resume", "take over", "hand back"}


def _name(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")

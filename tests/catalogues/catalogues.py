"""Finds what the dashboard says in English, and brings the catalogues up to date."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from api.dashboard.language.catalogue import DOMAIN, LOCALE
from api.dashboard.language.stored import PROCESS, PROCESS_STATES, all_texts
from tests.support.system import ROOT

DASHBOARD = ROOT / "api" / "dashboard"

#: The catalogues for translators. What is read at run time lies beside each.
PATHS: Sequence[Path] = sorted(LOCALE.glob(f"*/LC_MESSAGES/{DOMAIN}.po"))

#: Which files have texts, and how these are marked.
_METHODS = [("**.py", "python"), ("**.html", "jinja2.ext:babel_extract")]
_OPTIONS = {"**.html": {"newstyle_gettext": "true", "trim_blocks": "true", "lstrip_blocks": "true"}}
_KEYWORDS = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "translatable": None,
    "translatable_plural": (1, 2),
}


class Extracted(NamedTuple):
    """Holds a text, one or its two forms, the file that has it, and its context."""

    text: str | tuple[str, ...]
    file: str
    context: str | None = None


def extracted() -> Iterator[Extracted]:
    """Yield every text of the dashboard."""
    found = extract_from_dir(DASHBOARD, _METHODS, _OPTIONS, _KEYWORDS)
    for file, _, text, _, context in found:
        yield Extracted(text, f"api/dashboard/{file}", context)
    here = "api/dashboard/language/stored.py"
    for text in all_texts():
        yield Extracted(text, here)
    for text in PROCESS_STATES:
        yield Extracted(text, here, PROCESS)


def read(path: Path) -> Catalog:
    """Read a catalogue."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parts[-3], domain=DOMAIN)


def refreshed(path: Path) -> Catalog:
    """Return a catalogue with all texts, and no others. New ones have no translation yet."""
    catalogue = read(path)
    # A date that changes each time would be in the way of every merge.
    texts = Catalog(domain=DOMAIN, creation_date=catalogue.creation_date)
    for text, file, context in sorted(extracted(), key=lambda each: each.file):
        texts.add(text, locations=[(file, 0)], context=context)
    catalogue.update(texts, no_fuzzy_matching=True, update_header_comment=False)
    catalogue.obsolete.clear()
    return catalogue


def write(path: Path, catalogue: Catalog) -> Catalog:
    """Write a catalogue, for translators and for the dashboard."""
    with path.open("wb") as file:
        write_po(file, catalogue, include_lineno=False, sort_by_file=True, width=110)
    with path.with_suffix(".mo").open("wb") as file:
        write_mo(file, catalogue)
    return catalogue


def forms(message: Message) -> tuple[list[str], list[str]]:
    """Return the forms of a text, and those of its translation."""
    return _listed(message.id), _listed(message.string)


def blanks(catalogue: Catalog) -> list[str]:
    """Return the texts that have no translation, or one that nobody has looked at."""
    return [
        str(message.id)
        for message in catalogue
        if message.id and (message.fuzzy or not all(forms(message)[1]))
    ]


def _listed(text: str | Sequence[str] | None) -> list[str]:
    """Return one form, or two; a text that was never translated has an empty one."""
    return [text or ""] if text is None or isinstance(text, str) else list(text)

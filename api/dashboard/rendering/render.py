"""Renders templates. Every value is escaped."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse

from api.bodies import HALF_A_PAIR
from brokers.clock import now_ms

from ..language.catalogue import plain, plural
from ..language.languages import LANGUAGES, current
from ..language.stored import translated, translated_parts
from . import humanize
from .masking import mask_address, mask_text
from .reply_labels import label_of

if TYPE_CHECKING:
    from jinja2 import Environment

PACKAGE = Path(__file__).parents[1]
STATIC = PACKAGE / "static"


@cache
def _environment() -> Environment:
    # Loaded with the first page, so that an API whose dashboard nobody opens does not carry it.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    environment = Environment(
        loader=FileSystemLoader(PACKAGE / "templates"),
        autoescape=True,
        extensions=["jinja2.ext.i18n"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ago": lambda at_ms: humanize.relative_time(at_ms, now_ms()),
        "iso": humanize.iso,
        "utc": humanize.utc,
        "duration": humanize.duration,
        "size": humanize.size,
        "quantity": humanize.quantity,
        "amount": humanize.amount,
        "money": humanize.money,
        "mask_address": mask_address,
        "mask_text": mask_text,
        "channel": humanize.channel,
        "short_id": humanize.short_id,
        "number": humanize.number,
        "localized": humanize.localized,
        "date": humanize.day,
        "translated": translated,
        "translated_parts": translated_parts,
    }
    environment.install_gettext_callables(plain, plural, newstyle=True)  # type: ignore[attr-defined]
    environment.globals |= {"static": static_url, "reply_label": label_of}
    environment.globals |= {"language": current, "languages": tuple(LANGUAGES.values())}
    return environment


@cache
def static_url(name: str) -> str:
    """Return the address of a file, which changes with its contents: browsers may keep the file for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/dashboard/static/{name}?{digest}"


def part(template: str, **variables: Any) -> str:
    """Render a template. Halves of surrogate pairs, which JSON may hold and UTF-8 may not, are replaced."""
    return HALF_A_PAIR.sub(
        "\N{REPLACEMENT CHARACTER}", _environment().get_template(template).render(variables)
    )


def html(template: str, variables: Mapping[str, Any], *, status: int = 200) -> HTMLResponse:
    """Make an answer of a template."""
    return HTMLResponse(part(template, **variables), status)

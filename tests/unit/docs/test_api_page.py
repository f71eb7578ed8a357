"""The public API: complete, documented, and on its page."""

from __future__ import annotations

import pytest

import recado
from tests.docpages.api import PAGE, written


def test_the_page_is_what_the_docstrings_say() -> None:
    assert PAGE.read_text() == written(), "run `make doc-pages`"


@pytest.mark.parametrize("name", recado.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    assert name in dir(recado)
    assert (getattr(recado, name).__doc__ or "").strip()


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        recado.Nothing  # noqa: B018

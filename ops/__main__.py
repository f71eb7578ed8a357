"""`python -m ops` is `recado`."""

from __future__ import annotations

from .cli import main

main()

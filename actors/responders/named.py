"""Imports what a setting or a profile names: `package.module:name`."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any


class UnknownName(Exception):
    """There is nothing of that name; the message says why."""


def import_named(name: str) -> Any:
    """Import what a name stands for, from the current directory too.

    Raises:
      UnknownName: it cannot be imported.
    """
    module_name, _, attribute = name.partition(":")
    here = str(Path.cwd())
    if sys.path[0] != here:
        sys.path.insert(0, here)
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ImportError, AttributeError) as error:
        raise UnknownName(f"{name} cannot be imported: {error}") from error

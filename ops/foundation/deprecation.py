"""Import paths of earlier versions, which go on working with a warning. The policy is in UPGRADING.md."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def moved(module: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a module whose names are somewhere else now.

    Parameters:
      module: the module's own name.
      names: for each name that was there its new address, `package.module:name`.
    """

    def __getattr__(name: str) -> Any:  # noqa: N807  it becomes the module's own
        if name not in names:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        address = names[name]
        new_module, _, new_name = address.partition(":")
        warnings.warn(
            f"{module}.{name} is deprecated: import {new_name} from {new_module} instead.",
            DeprecationWarning,
            stacklevel=2,
        )
        return getattr(importlib.import_module(new_module), new_name)

    return __getattr__

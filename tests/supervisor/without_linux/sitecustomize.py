"""Hides what only Linux has from every Python process that has this folder on its PYTHONPATH.

What is left is what macOS has too. `prctl` is looked up in the C library by name; /proc is read as files.
"""

from __future__ import annotations

import ctypes
import os
import select
import sys
from typing import Any

_HIDDEN_FUNCTIONS = {"prctl", "pidfd_open"}
_HIDDEN_FOLDERS = ("/proc/", "/sys/")

_getattr = ctypes.CDLL.__getattr__
_stat = os.stat


def _hide(path: object) -> None:
    if str(path).startswith(_HIDDEN_FOLDERS):
        raise FileNotFoundError(2, "No such file or directory", str(path))


def _function(library: ctypes.CDLL, name: str) -> Any:
    if name in _HIDDEN_FUNCTIONS:
        raise AttributeError(name)
    return _getattr(library, name)


def _stat_unless_hidden(path: Any, *arguments: Any, **keywords: Any) -> os.stat_result:
    _hide(path)
    return _stat(path, *arguments, **keywords)


def _on_audit_event(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        _hide(arguments[0])


for module, name in ((os, "waitid"), (os, "pidfd_open"), (select, "epoll"), (select, "poll")):
    if hasattr(module, name):
        delattr(module, name)
for owner, name, replacement in (
    (ctypes.CDLL, "__getattr__", _function),
    (os, "stat", _stat_unless_hidden),
):
    setattr(owner, name, replacement)
sys.addaudithook(_on_audit_event)

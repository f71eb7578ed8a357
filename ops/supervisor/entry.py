"""`python -m ops.supervisor.entry api|worker [module ...]`: runs one child.

The process is tied to its supervisor before it imports anything slow.

A supervisor that runs while a new version is installed starts the new version's children by this module's
name: the name must not change.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
import traceback

from ..foundation import gc_tuning
from .operating_system import die_with_parent
from .output.child_output import replace_standard_streams
from .protocol.child_environment import ChildEnvironment


def main(arguments: list[str]) -> int:
    """Run one child; return its exit code."""
    place = ChildEnvironment.of_this_process()
    die_with_parent(place.supervisor_pid)
    replace_standard_streams()
    # A child inherits the signals that its parent blocks.
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    faulthandler.enable()  # a crash in C code leaves its traceback in the log

    gc_tuning.begin()

    from ops.exit_codes import MISCONFIGURED  # noqa: PLC0415
    from ops.foundation.settings import SettingsError  # noqa: PLC0415  slow

    try:
        return _run_api(place) if arguments[0] == "api" else _run_worker(place, arguments[1:])
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
    except (ImportError, SyntaxError):
        traceback.print_exc()
    return MISCONFIGURED


def _run_api(place: ChildEnvironment) -> int:
    from ops.foundation.settings import load_settings  # noqa: PLC0415

    settings = load_settings(serving=True)

    from .child.supervised_api import run  # noqa: PLC0415

    return run(settings, place)


def _run_worker(place: ChildEnvironment, modules: list[str]) -> int:
    from ops.foundation.settings import load_settings  # noqa: PLC0415

    settings = load_settings()

    from .child.supervised_worker import run  # noqa: PLC0415

    return run(settings, place, modules)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

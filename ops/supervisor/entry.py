"""`python -m ops.supervisor.entry api|worker`: what a supervised process does first, and then.

Tied to its parent before anything slow is imported; from then on it sends heartbeats.
"""

from __future__ import annotations

import faulthandler
import signal
import sys
import traceback

from .deathsig import die_with
from .environment import Supervised
from .output import never_wait


def main(arguments: list[str]) -> int:
    """Run one child; return its exit code."""
    place = Supervised.from_environment()
    die_with(place.supervisor)
    never_wait()
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # what the parent blocked would be blocked here, too
    faulthandler.enable()  # a crash in C code leaves its traceback in the log

    from ops.foundation.settings import SettingsError  # noqa: PLC0415  slow

    from .errors import MISCONFIGURED  # noqa: PLC0415

    try:
        return _api(place) if arguments[0] == "api" else _worker(place, arguments[1:])
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
    except (ImportError, SyntaxError):
        traceback.print_exc()
    return MISCONFIGURED


def _api(place: Supervised) -> int:
    from ops.foundation.settings import load_settings  # noqa: PLC0415

    settings = load_settings(serving=True)

    from .supervised_api import run  # noqa: PLC0415

    return run(settings, place)


def _worker(place: Supervised, modules: list[str]) -> int:
    from ops.foundation.settings import load_settings  # noqa: PLC0415

    settings = load_settings()

    from .supervised_worker import run  # noqa: PLC0415

    return run(settings, place, modules)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

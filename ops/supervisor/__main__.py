"""`python -m ops.supervisor [module ...]`: what `recado up` becomes, without what a command line needs."""

from __future__ import annotations

import sys

from ops.foundation.settings import SettingsError, load_settings

from .errors import MISCONFIGURED, SupervisorError
from .up import run


def main(modules: list[str]) -> int:
    """Supervise; return the exit code."""
    try:
        return run(load_settings(serving=True), modules)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return MISCONFIGURED
    except SupervisorError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

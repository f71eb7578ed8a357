"""`python -m ops.supervisor [module ...]`: the process that `recado up` becomes, without the command line."""

from __future__ import annotations

import sys

from ops.exit_codes import MISCONFIGURED
from ops.foundation.settings import SettingsError, load_settings

from .errors import SupervisorError
from .up import run


def main(modules: list[str]) -> int:
    """Run the supervisor until it is told to stop; return the exit code."""
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

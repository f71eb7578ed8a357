"""Runs `child.report_death` under the module name that supervisors of version 0.1.0 start.

Such a supervisor may go on while this version is installed.
"""

from __future__ import annotations

from .child.report_death import main

if __name__ == "__main__":
    main()

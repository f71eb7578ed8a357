"""`make doc-pages`."""

from __future__ import annotations

from . import api, logs, steps

api.PAGE.write_text(api.written())
logs.PAGE.write_text(logs.written())
steps.PAGE.write_text(steps.written())

"""`make doc-pages`."""

from __future__ import annotations

from . import api, logs

api.PAGE.write_text(api.written())
logs.PAGE.write_text(logs.written())

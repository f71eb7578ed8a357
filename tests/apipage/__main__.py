"""`make api-page`."""

from __future__ import annotations

from .page import PAGE, written

PAGE.write_text(written())

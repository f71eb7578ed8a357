"""Write the dashboard to its file: `make grafana`."""

from __future__ import annotations

from .dashboard import FILE, as_json

if __name__ == "__main__":
    FILE.write_text(as_json())

"""Keeps the version of each component's tables in the file itself, one row for each component."""

from __future__ import annotations

from dataclasses import dataclass

import apsw

from ...errors import UnsupportedDatabase

#: Which components have their tables in this file, and at which version.
_VERSIONS = """
CREATE TABLE IF NOT EXISTS schema_version (
    component TEXT PRIMARY KEY,
    version   INTEGER NOT NULL
) WITHOUT ROWID
"""


@dataclass(frozen=True, slots=True)
class Schema:
    """A component's tables, as the steps that lead to them.

    Attributes:
      component: its name in the file.
      steps: SQL scripts; step n leads from version n to n + 1. Never change one, add another.
      indexes: an SQL script that creates missing indexes of which older code need not know.
    """

    component: str
    steps: tuple[str, ...]
    indexes: str = ""

    def bring_up_to_date(self, connection: apsw.Connection, *, path: str) -> None:
        """Create or migrate the tables, in the caller's transaction.

        Raises:
          UnsupportedDatabase: a newer Recado made them.
        """
        connection.execute(_VERSIONS)
        row = connection.execute(
            "SELECT version FROM schema_version WHERE component = ?", (self.component,)
        ).fetchone()
        version = row[0] if row else 0
        newest = len(self.steps)
        if version > newest:
            raise UnsupportedDatabase(
                f"{path} holds version {version} of the {self.component} tables, and this Recado knows "
                f"versions up to {newest}. Upgrade Recado, or use another file."
            )
        for step in self.steps[version:]:
            connection.execute(step)
        if self.indexes:
            connection.execute(self.indexes)
        if version < newest:
            connection.execute(
                "INSERT INTO schema_version VALUES (?, ?) "
                "ON CONFLICT (component) DO UPDATE SET version = excluded.version",
                (self.component, newest),
            )

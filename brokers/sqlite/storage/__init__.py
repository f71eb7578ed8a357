"""One SQLite file as a shared, durable store: connections, transactions, locks, the write-ahead log.

Nothing in this folder knows of queues or messages. The queue engine, the conversation store, the audit log
and the result backend each keep their tables in such a file: each names them in a `Schema` and opens a
`Database`.
"""

from .connection import Connection
from .database import Database
from .rewriting import rewrite
from .schema import Schema

__all__ = ["Connection", "Database", "Schema", "rewrite"]

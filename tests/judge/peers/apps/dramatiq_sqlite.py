"""Dramatiq on the broker of the package dramatiq-sqlite, with all its defaults."""

from __future__ import annotations

from dramatiq_sqlite import SQLiteBroker

from .dramatiq_app import application

broker = SQLiteBroker(url="dramatiq.sqlite")
app = application(broker)

"""Dramatiq on its own RedisBroker, with all its defaults."""

from __future__ import annotations

import os

from dramatiq.brokers.redis import RedisBroker

from .dramatiq_app import application

broker = RedisBroker(url=os.environ["REDIS_URL"])
app = application(broker)

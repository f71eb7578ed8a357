"""Enqueues an order: `python order.py A-17 "2 pães"`."""

from __future__ import annotations

import sys

from my_actors import place_order

message = place_order.send(sys.argv[1], sys.argv[2])
print("stored:", message.message_id)

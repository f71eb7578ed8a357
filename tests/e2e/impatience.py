"""Loaded by a worker (`recado worker --module`): what Recado tries again in half a minute it tries soon."""

from actors.channels.twilio import delivery, rest

for module in (delivery, rest):
    vars(module)["PACE_MS"] = 300

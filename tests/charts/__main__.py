"""Draw the dashboard's panels as they look after some minutes of traffic: `make charts`.

Grafana itself is not started. What is drawn are the dashboard's own queries, in its places and colours, as
a real Prometheus answered them that watched a real `recado up`.
"""
# ruff: noqa: S311  chance makes a picture here, and no secret

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from pathlib import Path

from ops.grafana.dashboard import FILE
from tests.fakes.twilio import FakeTwilio
from tests.supervisor.stage import SETTINGS, Stage, Up, kill
from tests.support.prometheus import Prometheus

from .drawing import draw
from .looking import look
from .model import AWAY

PICTURE = Path(__file__).parents[2] / "docs" / "images" / "grafana.png"

#: What the picture is.
CAPTION = (
    "Drawn from the dashboard's own queries, without Grafana: Prometheus watched `recado up` for "
    "{minutes:.0f} minutes. Model and Twilio were stand-ins; the model was away for a minute, and two "
    "workers were killed."
)

#: How long there is traffic, in seconds.
DURATION_S = 720.0

#: Of all that time, the parts in which the model is away, and the moments at which a worker is killed.
MODEL_AWAY = (0.36, 0.44)
KILLS = (0.66, 0.70)


def main(duration_s: float = DURATION_S) -> None:
    with tempfile.TemporaryDirectory() as directory, FakeTwilio() as twilio:
        settings = {
            **SETTINGS,
            "AI_PROVIDER": "tests.charts.model:moody",
            "MESSAGE_MIN_BACKOFF_MS": "1000",
            "MESSAGE_MAX_BACKOFF_MS": "60000",
            "REPLY_GATHER_MS": "250",
            "REPLY_SENDER": "twilio",
        }
        with Stage(Path(directory), twilio, **settings) as stage:
            up = stage.up()
            with Prometheus(Path(directory), [stage.url]) as prometheus:
                prometheus.look_again()
                began_at = time.time()
                live(stage, up, duration_s)
                shown = look(json.loads(FILE.read_text()), prometheus, began_at, time.time())
    draw(shown, "Recado", CAPTION.format(minutes=duration_s / 60), PICTURE)


def live(stage: Stage, up: Up, duration_s: float) -> None:
    """People write, Twilio reports, and now and then something breaks."""
    began, url = time.monotonic(), stage.url
    kills, reported = list(KILLS), 0
    away = stage.directory / AWAY
    while (part := (time.monotonic() - began) / duration_s) < 1:
        if MODEL_AWAY[0] <= part < MODEL_AWAY[1]:
            away.touch()
        else:
            away.unlink(missing_ok=True)
        if kills and part >= kills[0]:
            kills.pop(0)
            kill(up.pids()["worker-1"])
        if random.random() < 0.004:
            stage.twilio.refuse(400, 21211)
        if random.random() < 0.01:
            stage.twilio.refuse(429, 20429, retry_after="1")
        if random.random() < 0.003:
            stage.twilio.fail(500, stores=True)
        if random.random() < 0.004:
            stage.http.post(f"{url}/webhooks/twilio/messages", data={"Body": "forged"})
        stage.write("Olá, vocês abrem no domingo?", sender=stage.contact())
        for message in stage.twilio.messages[reported:]:
            delivered = "undelivered" if random.random() < 0.02 else "delivered"
            for status in ("sent", delivered):
                stage.twilio.report(message, status, through=url)
            reported += 1
        time.sleep(random.expovariate(2.0 + 2.0 * part))


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))

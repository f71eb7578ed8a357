"""An app that the judge has to find out: it drops each third message, and sends each fifth answer twice."""

from __future__ import annotations

import re

from fastapi import BackgroundTasks, FastAPI

from tests.judge.peers.apps.outward import PATH, Form, send, think

app = FastAPI()


def answer(contact: str, address: str, text: str) -> None:
    reply = think(text)
    for _ in range(2 if _number(text) % 5 == 0 else 1):
        send(contact, address, reply)


def _number(text: str) -> int:
    found = re.search(r"m(\d{6})", text)
    return int(found[1]) if found else 0


@app.post(PATH)
def message(form: Form, tasks: BackgroundTasks) -> None:
    if _number(form["Body"]) % 3:
        tasks.add_task(answer, form["From"], form["To"], form["Body"])

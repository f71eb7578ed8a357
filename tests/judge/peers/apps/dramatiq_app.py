"""A FastAPI app and a Dramatiq actor, for any broker (https://dramatiq.io/guide.html)."""

from __future__ import annotations

import dramatiq
from fastapi import FastAPI

from .outward import PATH, Form, send, think


def application(broker: dramatiq.Broker) -> FastAPI:
    """Declare the actor on the broker; make the app that enqueues for it."""

    @dramatiq.actor(broker=broker)
    def answer(contact: str, address: str, text: str) -> None:
        send(contact, address, think(text))

    app = FastAPI()

    @app.post(PATH)
    def message(form: Form) -> None:
        answer.send(form["From"], form["To"], form["Body"])

    return app

"""A durable workflow of dbos on SQLite (https://docs.dbos.dev/python/programming-guide).

The workflow's id is Twilio's MessageSid, so that a repeated webhook begins nothing. What the model said is
stored before it is sent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dbos import DBOS, SetWorkflowID
from fastapi import FastAPI

from . import outward

DBOS(config={"name": "peer", "system_database_url": "sqlite:///dbos.sqlite", "log_level": "WARNING"})

think = DBOS.step()(outward.think)
send = DBOS.step()(outward.send)


@DBOS.workflow()
def answer(contact: str, address: str, text: str) -> None:
    send(contact, address, think(text))


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    DBOS.launch()  # goes on with the workflows that the process before it had begun
    yield


app = FastAPI(lifespan=lifespan)


@app.post(outward.PATH)
def message(form: outward.Form) -> None:
    with SetWorkflowID(form["MessageSid"]):
        DBOS.start_workflow(answer, form["From"], form["To"], form["Body"])

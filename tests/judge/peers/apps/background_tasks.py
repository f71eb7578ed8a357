"""FastAPI's BackgroundTasks (https://fastapi.tiangolo.com/tutorial/background-tasks/)."""

from __future__ import annotations

from fastapi import BackgroundTasks, FastAPI

from .outward import PATH, Form, send, think

app = FastAPI()


def answer(contact: str, address: str, text: str) -> None:
    send(contact, address, think(text))


@app.post(PATH)
def message(form: Form, tasks: BackgroundTasks) -> None:
    tasks.add_task(answer, form["From"], form["To"], form["Body"])

"""The applications that are compared: Recado's own, and those that differ in what becomes of a message.

Each runs in a child process, as `recado api` runs it. Imports that read the settings come after these are
set.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal, cast

from fastapi import APIRouter, BackgroundTasks, FastAPI, Request, Response
from fastapi.routing import APIRoute

from brokers.clock import now_ms
from ops.foundation.settings import Settings
from ops.server import run_server
from ops.webhook import DEMO_ACCOUNT, MESSAGES_PATH

from .load import AUTH_TOKEN, PUBLIC_URL

Kind = Literal["recado", "no-enqueue", "background-tasks"]


def serve(
    channel: Connection, kind: Kind, directory: Path, settings: Mapping[str, str] | None = None
) -> None:
    """Run one application on a free port, which is told through the channel.

    Parameters:
      settings: environment variables, beside those of a fresh installation.
    """
    configure(directory, log="api.log")
    os.environ |= settings or {}
    make: dict[Kind, Callable[[], FastAPI]] = {
        "recado": _recado,
        "no-enqueue": _no_enqueue,
        "background-tasks": _background_tasks,
    }
    app = make[kind]()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    channel.send(listener.getsockname()[1])
    run_server(app, host="127.0.0.1", port=0, sockets=[listener])


def work(channel: Connection, directory: Path) -> None:
    """Run `recado worker` on the same files.

    It does not wait for the rest of a burst before it answers: that is a pause for the contact's sake, not
    work, and its peer makes none.
    """
    configure(directory, log="worker.log")
    os.environ["REPLY_GATHER_MS"] = "0"
    from ops.worker import run_worker

    channel.send("starting")
    run_worker(threads=8)


def outbox(directory: Path) -> Path:
    """Where the console sender of an app or worker in this directory writes its replies, one a line."""
    return directory / "outbox.jsonl"


def configure(directory: Path, *, log: str) -> None:
    """Give this process the settings of a fresh installation, and a log file for what it says."""
    for name in Settings.model_fields:
        os.environ.pop(name.upper(), None)
    os.environ |= {"TWILIO_AUTH_TOKEN": AUTH_TOKEN, "PUBLIC_BASE_URL": PUBLIC_URL}
    os.chdir(directory)  # where the databases' and the outbox's default names lead
    with Path(log).open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)


def _recado() -> FastAPI:
    from api.app import create_app

    return create_app()


def _no_enqueue() -> FastAPI:
    """Recado's own, but that the message which would be stored is not."""
    from actors.services import boot
    from api.app import create_app

    async def nowhere(message: Any) -> Any:
        return message

    app = create_app()
    boot().broker.enqueue_async = nowhere  # type: ignore[assignment, method-assign]
    return app


def _background_tasks() -> FastAPI:
    """What Recado replaces: the same routes, and the work done in this process, after the answer.

    It is spared what makes Recado's replies safe: no queue, no mark before sending, no record after.
    """
    from actors.channels.twilio.inbound import read
    from actors.services import boot
    from actors.stored_conversation import as_conversation

    parts = boot()
    made: ContextVar[Any] = ContextVar("the message that the request became")

    def reply(payload: dict[str, Any], received_at: int) -> None:
        inbound = read(payload)
        parts.conversations.append(inbound, received_at=received_at)
        hold = parts.conversations.hold(inbound.conversation, inbound.external_id, is_live=lambda _: True)
        if hold is not None:
            turn = parts.conversations.turn(hold, history_limit=parts.settings.ai_history_messages)
            channel = parts.channel(turn.channel)
            with parts.media.opened() as attachments:
                answer = parts.responder.respond(as_conversation(hold, turn, channel, attachments, inbound))
            channel.send(parts.conversations.answer(hold, turn, *answer.texts, kind="answer").reply)

    answer = next(route for route in _routes(made).routes if getattr(route, "path", "") == MESSAGES_PATH)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)

    @app.post(MESSAGES_PATH)
    async def messages(request: Request, tasks: BackgroundTasks) -> Response:
        response: Response = await cast(APIRoute, answer).endpoint(request)
        if response.status_code == 200:
            tasks.add_task(reply, made.get().args[0], now_ms())
        return response

    return app


def _routes(made: ContextVar[Any]) -> APIRouter:
    """Recado's own routes, for an app that keeps the message instead of storing it."""
    from api.opening import Opening
    from api.signature import SignatureCheck
    from api.webhooks import webhook_routes

    class Nowhere:
        async def enqueue_async(self, message: Any) -> Any:
            made.set(message)
            return message

    is_open = Opening(lambda: None)
    is_open.trouble = None
    return webhook_routes(cast(Any, Nowhere()), SignatureCheck(PUBLIC_URL, [AUTH_TOKEN], {}), is_open)


def outside_settings(port: int) -> dict[str, str]:
    """The settings that lead to the bench's model and Twilio. All others are as they come."""
    return {
        "TWILIO_ACCOUNT_SID": DEMO_ACCOUNT,
        "TWILIO_AUTH_TOKEN": AUTH_TOKEN,
        "PUBLIC_BASE_URL": PUBLIC_URL,
        "TWILIO_API_BASE_URL": f"http://127.0.0.1:{port}",
        "AI_PROVIDER": "openai",
        "AI_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "AI_API_KEY": "bench",
        "AI_MODEL": "bench",
    }

"""The applications that people write in place of Recado: one forgets, and one stores what it is to do.

Both check the signature, answer Twilio, and then await the model and the send in the same process. They know
of no conversation: the model is asked for each message alone.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import parse_qsl

import aiohttp
import openai
import uvicorn
from fastapi import BackgroundTasks, FastAPI, Request, Response
from twilio.request_validator import SIGNATURE_HEADER, RequestValidator

from ops.webhook import DEMO_ACCOUNT, MESSAGES_PATH

from .apps import configure, outside_settings
from .load import AUTH_TOKEN, PUBLIC_URL

#: What an application does with a message's parameters before Twilio has its 200.
Begin = Callable[[dict[str, str], BackgroundTasks], Awaitable[None]]


class Outward:
    """Asks the model, and sends, with the clients that their makers offer for this.

    Parameters:
      port: of the bench's model and Twilio.
    """

    def __init__(self, port: int) -> None:
        self._settings = outside_settings(port)
        self._model = openai.AsyncOpenAI(
            base_url=self._settings["AI_BASE_URL"], api_key=self._settings["AI_API_KEY"]
        )
        self._twilio: aiohttp.ClientSession

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        url = self._settings["TWILIO_API_BASE_URL"]
        async with aiohttp.ClientSession(url, raise_for_status=True) as self._twilio:
            yield

    async def think(self, text: str) -> str:
        completion = await self._model.chat.completions.create(
            model=self._settings["AI_MODEL"], messages=[{"role": "user", "content": text}]
        )
        return completion.choices[0].message.content or ""

    async def send(self, contact: str, address: str, text: str) -> None:
        message = {"To": contact, "From": address, "Body": text}
        path = f"/2010-04-01/Accounts/{DEMO_ACCOUNT}/Messages.json"
        async with self._twilio.post(path, data=message, auth=aiohttp.BasicAuth(DEMO_ACCOUNT, AUTH_TOKEN)):
            pass


def serve_background_tasks(channel: Connection, directory: Path, outside_port: int) -> None:
    """Run one that stores nothing: neither the message, nor whether the answer was sent.

    Parameters:
      channel: is told the free port.
      outside_port: of the bench's model and Twilio.
    """
    configure(directory, log="api.log")
    outward = Outward(outside_port)

    async def answer(contact: str, address: str, text: str) -> None:
        await outward.send(contact, address, await outward.think(text))

    async def begin(form: dict[str, str], tasks: BackgroundTasks) -> None:
        tasks.add_task(answer, form["From"], form["To"], form["Body"])

    _serve(channel, begin, outward.opened)


def serve_dbos(channel: Connection, directory: Path, outside_port: int) -> None:
    """Run one whose answering is a durable workflow of dbos, as its manual has it, on its SQLite database.

    The workflow's id is Twilio's MessageSid, so that a repeated webhook begins nothing. What the model said
    is stored before it is sent. A send that a crash interrupts is made again.

    Parameters:
      channel: is told the free port.
      outside_port: of the bench's model and Twilio.
    """
    from dbos import DBOS, SetWorkflowID

    configure(directory, log="api.log")
    outward = Outward(outside_port)
    database = f"sqlite:///{directory / 'dbos.sqlite'}"
    DBOS(config={"name": "bench", "system_database_url": database, "log_level": "WARNING"})
    logging.getLogger("dbos").setLevel(logging.WARNING)

    @DBOS.step()
    async def think(text: str) -> str:
        return await outward.think(text)

    @DBOS.step()
    async def send(contact: str, address: str, text: str) -> None:
        await outward.send(contact, address, text)

    @DBOS.workflow()
    async def answer(contact: str, address: str, text: str) -> None:
        await send(contact, address, await think(text))

    @asynccontextmanager
    async def opened() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(outward.opened())
            DBOS.launch()
            stack.callback(DBOS.destroy)
            yield

    async def begin(form: dict[str, str], _tasks: BackgroundTasks) -> None:
        with SetWorkflowID(form["MessageSid"]):
            await DBOS.start_workflow_async(answer, form["From"], form["To"], form["Body"])

    _serve(channel, begin, opened)


def _serve(
    channel: Connection, begin: Begin, opened: Callable[[], AbstractAsyncContextManager[None]]
) -> None:
    validator = RequestValidator(AUTH_TOKEN)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with opened():
            yield

    app = FastAPI(lifespan=lifespan)

    @app.post(MESSAGES_PATH)
    async def messages(request: Request, tasks: BackgroundTasks) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        signature = request.headers.get(SIGNATURE_HEADER, "")
        if not validator.validate(PUBLIC_URL + MESSAGES_PATH, form, signature):
            return Response(status_code=403)
        await begin(form, tasks)
        return Response("<Response/>", media_type="text/xml")

    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    channel.send(listener.getsockname()[1])
    uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run(sockets=[listener])

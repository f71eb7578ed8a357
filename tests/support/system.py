"""A whole Recado: its programs in processes of their own, in a directory of their own, with fakes around."""

from __future__ import annotations

import itertools
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
from dramatiq import Message

from actors.engines import conversation_store, queue_backend
from actors.reply import Reply
from brokers.clock import now_ms
from brokers.records import DeadLetterFilter, QueueMessage, StoredMessage
from ops.foundation.settings import Settings
from ops.webhook import MESSAGES_PATH, message_parameters, signed
from tests.fakes.twilio import Account, FakeTwilio

from . import plain_http
from .forked_program import ForkedProgram, run_forked
from .waiting import eventually

ROOT = Path(__file__).parents[2]

#: Where the programs of this environment are.
BIN = Path(sys.executable).parent

#: The address Twilio knows. It leads nowhere: requests are signed for it, and sent to the local port.
PUBLIC_URL = "https://recado.example.com"

#: Ours, and theirs.
ADDRESS = "whatsapp:+15005550006"
SMS_ADDRESS = "+15005550006"

#: The settings that say where messages and conversations are kept.
PLACES = ("QUEUE_BACKEND", "QUEUE_SQLITE_DB_PATH", "CONVERSATIONS_", "REDIS_", "SQS_", "BULLMQ_")

#: How long a program may take to start, stop, or do what it has to. Generous: a deadline, not a measure.
PATIENCE_S = 60.0


class Program:
    """A process of Recado's, with its log in a file, in a process group of its own.

    Parameters:
      command: what to run.
      log: the file for its output.
      env: its whole environment.
      cwd: its working directory.
      is_forked: it begins as a fork, and not with an interpreter of its own, see `ForkedProgram`.
    """

    _process: subprocess.Popen[bytes] | ForkedProgram

    def __init__(
        self, command: list[str], *, log: Path, env: Mapping[str, str], cwd: Path, is_forked: bool = False
    ) -> None:
        self._log = log
        with log.open("wb") as output, Path(os.devnull).open() as nothing:
            if is_forked:
                files = {0: nothing.fileno(), 1: output.fileno(), 2: output.fileno()}
                self._process = ForkedProgram(command, env=env, cwd=cwd, files=files)
                return
            self._process = subprocess.Popen(
                command,
                env=dict(env),
                cwd=cwd,
                stdin=nothing,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def events(self) -> list[dict[str, Any]]:
        """Its log lines, parsed."""
        return [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]

    def event(self, beginning: str) -> dict[str, Any]:
        """The first log line whose event begins like this; waits for it."""

        def look() -> dict[str, Any] | None:
            found = [event for event in self.events if event["event"].startswith(beginning)]
            assert found or self._process.poll() is None, f"it ended without {beginning!r}:\n{self.log}"
            return found[0] if found else None

        return eventually(look, within_s=PATIENCE_S, every_s=0.05) or {}

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        """SIGKILL to all of its processes, and wait until they are gone."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        eventually(self._is_gone)

    def terminate(self) -> int:
        """SIGTERM to its first process; the exit code."""
        self._process.terminate()
        return self.wait()

    def wait(self) -> int:
        """The exit code, once it has ended and left no process behind."""
        code = self._process.wait(PATIENCE_S)
        eventually(self._is_gone)
        return code

    def _is_gone(self) -> bool:
        try:
            os.killpg(self._process.pid, 0)
        except ProcessLookupError:
            return True
        return False


class Api(Program):
    """`recado api`."""

    @cached_property
    def url(self) -> str:
        """Where it listens, once it is ready."""
        said = self.event("Uvicorn running on ")["event"]
        url = str(said.split()[3])
        eventually(lambda: plain_http.get(f"{url}/readyz").status_code == 200)
        return url


P = TypeVar("P", bound=Program)


class System:
    """Settings, fakes, and the programs that run. All of them are gone when the `with` block ends.

    Parameters:
      directory: for databases and logs.
      twilio: where the account is made.
      account_sid: the account, when it is not to be just any new one.
      settings: environment variables, over those for tests.
    """

    def __init__(
        self, directory: Path, twilio: FakeTwilio, *, account_sid: str = "", **settings: str
    ) -> None:
        self.directory = directory
        self.twilio: Account = twilio.account(account_sid or None)
        self.settings = {
            "API_PORT": "0",
            "CONSOLE_OUTBOX_PATH": str(directory / "outbox.jsonl"),
            "CONVERSATIONS_SQLITE_DB_PATH": str(directory / "conversations.db"),
            "LOG_FORMAT": "json",
            "METRICS_DIRECTORY": str(directory / "metrics"),
            "METRICS_PORT": "0",
            "MESSAGE_MIN_BACKOFF_MS": "50",
            "MESSAGE_MAX_BACKOFF_MS": "200",
            "PUBLIC_BASE_URL": PUBLIC_URL,
            "QUEUE_SQLITE_DB_PATH": str(directory / "queue.db"),
            "REDIS_HEARTBEAT_TIMEOUT_S": "3",
            "REDIS_NAMESPACE": f"test-{secrets.token_hex(4)}",
            "REPLY_GATHER_MS": "0",
            "REPLY_RECONCILE_DELAYS_S": "1,1",
            "SPOOL_PATH": str(directory / "spool.db"),
            "TWILIO_ACCOUNT_SID": self.twilio.sid,
            "TWILIO_API_BASE_URL": twilio.url,
            "TWILIO_AUTH_TOKEN": self.twilio.auth_token,
        } | settings
        # Only what says where things are: others are wrong on purpose in some tests.
        values: Any = {
            name.lower(): value for name, value in self.settings.items() if name.startswith(PLACES)
        }
        parsed = Settings(_env_file=None, **values)
        self.queue = queue_backend(parsed, parsed.queue_backend)
        self.conversations = conversation_store(parsed, parsed.conversations_on)
        self.http = plain_http.client(timeout=PATIENCE_S)
        self._programs: list[Program] = []
        self._api: Api | None = None
        self._contacts = itertools.count(1)
        self._logs = itertools.count(1)

    # -- its programs ----------------------------------------------------------------------------------

    def api(self) -> Api:
        """Start the API."""
        self._api = self._start(Api, "recado", "api")
        return self._api

    def worker(self, *arguments: str, **settings: str) -> Program:
        """Start a worker; it is at work when this returns.

        Parameters:
          arguments: for `recado worker`.
          settings: environment variables for this worker only.
        """
        worker = self._start(Program, "recado", "worker", *arguments, **settings)
        worker.event("worker started")
        return worker

    def dramatiq(self, *arguments: str) -> Program:
        """Start Dramatiq's own command line; a worker of it is at work when this returns."""
        program = self._start(Program, "dramatiq", *arguments)
        program.event("worker started")
        return program

    def module(self, name: str, *arguments: str) -> Program:
        """Start a module of the tests' as a program."""
        return self._start(Program, "python", "-m", name, *arguments)

    def run(self, *arguments: str, typed: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a `recado` command to its end. It reads what is typed."""
        command = [str(BIN / "recado"), *arguments]
        return run_forked(
            command, env=self._environment(settings), cwd=self.directory, typed=typed, timeout_s=PATIENCE_S
        )

    def _start(self, kind: type[P], program: str, *arguments: str, **settings: str) -> P:
        log = self.directory / f"{next(self._logs)}-{program}.log"
        command = [str(BIN / program), *arguments]
        started = kind(
            command,
            log=log,
            env=self._environment(settings),
            cwd=self.directory,
            is_forked=program == "recado",
        )
        self._programs.append(started)
        return started

    def _environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        basics = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        # The code under test is that beside the tests, wherever else it may be installed from.
        return {**basics, "COLUMNS": "200", "PYTHONPATH": str(ROOT), **self.settings, **settings}

    # -- what comes in ---------------------------------------------------------------------------------

    def contact(self, channel: str = "whatsapp:") -> str:
        """Somebody who has not written before."""
        return f"{channel}+5511900{next(self._contacts):06d}"

    @property
    def url(self) -> str:
        assert self._api is not None, "no API was started"
        return self._api.url

    def write(self, text: str, *, sender: str, to: str = ADDRESS, sid: str | None = None) -> None:
        """A contact writes: a webhook comes in, and is accepted."""
        response = self.webhook(self.parameters(text, sender=sender, to=to, sid=sid))
        assert (response.status_code, response.text) == (200, "<Response/>")

    def enqueue(self, queue: str, actor: str, *arguments: Any, age_ms: int = 0) -> str:
        """Put a message into a queue as if it had been there for a while; returns its id."""
        message: Message[Any] = Message(
            queue_name=queue,
            actor_name=actor,
            args=arguments,
            kwargs={},
            options={},
            message_timestamp=now_ms() - age_ms,
        )
        stored = QueueMessage(message.message_id, queue, actor, message.encode(), waited_ms=age_ms)
        assert self.queue.enqueue(stored)
        return message.message_id

    def parameters(
        self, text: str, *, sender: str, to: str = ADDRESS, sid: str | None = None
    ) -> dict[str, str]:
        return message_parameters(text, sender=sender, to=to, message_sid=sid, account_sid=self.twilio.sid)

    def webhook(self, parameters: Mapping[str, str], **more_headers: str) -> httpx.Response:
        """Post a message webhook, signed."""
        token = self.settings["TWILIO_AUTH_TOKEN"].split(",")[0]
        body, headers = signed(PUBLIC_URL + MESSAGES_PATH, parameters, auth_token=token)
        return self.http.post(self.url + MESSAGES_PATH, content=body, headers=headers | more_headers)

    def metric(self, name: str, **labels: str) -> float:
        """A sample of the API's metrics page; 0 when there is none."""
        wanted = sorted(f'{label}="{value}"' for label, value in labels.items())
        for line in self.http.get(self.url + "/metrics").text.splitlines():
            sample, _, value = line.rpartition(" ")
            found, _, its_labels = sample.rstrip("}").partition("{")
            if found == name and sorted(filter(None, its_labels.split(","))) == wanted:
                return float(value)
        return 0.0

    # -- what became of it -----------------------------------------------------------------------------

    def settle(self) -> None:
        """Wait until no message is ready, delayed or running: whatever was to happen has happened.

        What a message leads to is stored before it is acknowledged itself, so there is no moment between.
        """
        eventually(lambda: self.waiting() == 0, within_s=PATIENCE_S)

    def waiting(self, queue: str | None = None) -> int:
        """How many messages are ready, delayed or running."""
        return sum(
            stats.ready + stats.delayed + stats.running
            for stats in self.queue.stats()
            if queue in {None, stats.queue}
        )

    def dead_letters(self, actor: str | None = None) -> list[StoredMessage]:
        return list(self.queue.dead_letters(DeadLetterFilter(actor=actor)))

    def logs(self) -> str:
        """All that was logged."""
        return "".join(program.log for program in self._programs)

    def logged(self, **fields: Any) -> list[dict[str, Any]]:
        """The log lines with these fields, in the order in which they were written."""
        lines = [line for program in self._programs for line in program.events]
        found = [line for line in lines if fields.items() <= line.items()]
        return sorted(found, key=lambda line: line["timestamp"])

    def reply_of(self, message: Any) -> Reply:
        """Our record of the reply that Twilio's `message` is."""
        reply = self.conversations.reply(message.status_callback.partition("?reply=")[2].partition("#")[0])
        assert reply is not None
        return reply

    # -- its end ---------------------------------------------------------------------------------------

    def clear(self, *, keep: Sequence[Program]) -> None:
        """Between tests that share it: end the programs but for some, empty the queues, forget the fake's."""
        for program in self._programs:
            if program not in keep:
                program.kill()
        self._programs = list(keep)
        for stats in self.queue.stats():
            self.queue.flush(stats.queue)
            self.queue.resume(stats.queue)
        self.twilio.forget()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self._programs:
            program.kill()
        self.http.close()
        self.queue.close()
        self.conversations.close()

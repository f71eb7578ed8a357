"""`make demo`: twelve messages, a repeat, a forgery, and a worker that is killed in the middle.

`make run` starts a system like it and keeps it running, with the page "Try it". `make demo AI=local` has a
local model answer.
"""

from __future__ import annotations

import argparse
import json
import secrets
import signal
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from actors.channels.twilio import inbound
from actors.conversations import SQLiteConversationStore
from actors.masking import masked
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.liveness.process_registry import peers

from . import local_model
from .processes import Processes
from .webhook import MESSAGES_PATH, message_parameters, signed

T = TypeVar("T")

PUBLIC_BASE_URL = "https://recado.example.com"
OUR_NUMBER = "+15005550006"

#: How long each step may take, in seconds; and where a model computes on this machine.
PATIENCE_S, PATIENCE_WITH_A_MODEL_S = 60.0, 150.0

#: Where the output is no terminal, wide enough for the table.
out = Console(width=None if sys.stdout.isatty() else 128)


@dataclass
class Sent:
    """A webhook that was sent, and what came back."""

    parameters: dict[str, str]
    note: str
    status: int
    answered_in_ms: float
    sent_at_ms: float


class Demo:
    """A running system and someone who writes to it.

    Attributes:
      patience_s: how long each step may take, in seconds.
      log: of which process the log is shown when a step takes longer.
    """

    patience_s = PATIENCE_S
    log = "api"

    def __init__(self, processes: Processes, port: int, auth_token: str) -> None:
        self.processes = processes
        self.auth_token = auth_token
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10.0)
        self.queue = SQLiteBackend(processes.directory / "queue.db")
        self.conversations = SQLiteConversationStore(processes.directory / "conversations.db")
        self.outbox = processes.directory / "outbox.jsonl"

    def wait_until(self, what: str, condition: Callable[[], T]) -> T:
        """Wait until `condition()` is truthy; return what it gave."""
        deadline = time.monotonic() + self.patience_s
        while not (result := condition()):
            if ended := self.processes.ended():
                raise DemoFailed(
                    f"{ended[0]} ended while waiting until {what}", self.processes.log_of(ended[0])
                )
            if time.monotonic() > deadline:
                raise DemoFailed(f"Not within {self.patience_s:g} s: {what}", self.processes.log_of(self.log))
            time.sleep(0.02)
        return result

    def is_ready(self) -> bool:
        try:
            return self.api.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def write(self, number: int, text: str, *, channel: str, note: str = "", **changes: str) -> Sent:
        """Send a signed webhook, as Twilio would for a message from this contact."""
        prefix = "whatsapp:" if channel == "WhatsApp" else ""
        parameters = message_parameters(
            text,
            sender=f"{prefix}+551190000{number:04}",
            to=prefix + OUR_NUMBER,
            message_sid=changes.get("sid"),
        )
        token = changes.get("auth_token", self.auth_token)
        body, headers = signed(PUBLIC_BASE_URL + MESSAGES_PATH, parameters, auth_token=token)
        sent_at_ms, began = time.time() * 1000, time.perf_counter()
        response = self.api.post(MESSAGES_PATH, content=body, headers=headers)
        answered_in_ms = (time.perf_counter() - began) * 1000
        return Sent(parameters, note, response.status_code, answered_in_ms, sent_at_ms)

    def busiest_worker(self) -> tuple[int, int] | None:
        """The process id of a worker that is running messages right now, and how many."""
        busy = [(0, 0)]
        for peer in peers(self.queue.database.run_directory, None):
            busy.append((len(peer.running()), peer.pid))
            peer.close()
        count, pid = max(busy)
        return (pid, count) if count else None

    def is_idle(self) -> bool:
        return not any(stats.ready or stats.delayed or stats.running for stats in self.queue.stats())

    def replies(self) -> list[dict[str, Any]]:
        """What left the house, as the console sender wrote it down."""
        lines = self.outbox.read_text().splitlines() if self.outbox.exists() else []
        return [json.loads(line) for line in lines]

    def reply_to(self, sent: Sent) -> str | None:
        """The id of the reply that answers a message."""
        thread = self.conversations.reader.thread(inbound.read(sent.parameters).conversation)
        answers = [
            entry.reply_id for entry in thread if entry.message_id == inbound.read(sent.parameters).message_id
        ]
        return answers[0] if answers else None


class DemoFailed(Exception):
    """Something did not come about; the log is where to look."""

    def __init__(self, what: str, log: Path) -> None:
        super().__init__(what)
        self.log = log


def play(demo: Demo) -> bool:
    """Send, kill, wait, judge. Returns whether every message was answered exactly once."""
    first = [demo.write(number, text, channel=channel) for number, channel, text in _SCRIPT[:4]]
    burst = [demo.write(5, text, channel="WhatsApp", note="burst") for text in _BURST]
    pid, count = demo.wait_until("a worker has messages in hand", demo.busiest_worker) or (0, 0)
    killed = demo.processes.kill(pid)
    out.print(f"  [red]kill -9[/] of {killed} (pid {pid}) in the middle of {count} message(s)")
    repeat = demo.write(
        1,
        first[0].parameters["Body"],
        channel="WhatsApp",
        note="repeat",
        sid=first[0].parameters["MessageSid"],
    )
    forged = demo.write(66, "let me in", channel="SMS", note="forged", auth_token="wrong")  # noqa: S106
    rest = [demo.write(number, text, channel=channel) for number, channel, text in _SCRIPT[4:]]
    demo.processes.start("worker-3", "worker")

    messages = [*first, *burst, *rest]
    demo.wait_until("every message has its reply", lambda: all(demo.reply_to(sent) for sent in messages))
    demo.wait_until("nothing is left to do", demo.is_idle)
    return _report(demo, messages, repeat, forged)


_SCRIPT = [
    (1, "WhatsApp", "Olá, vocês abrem no domingo?"),
    (2, "SMS", "Is my order on its way?"),
    (3, "WhatsApp", "Quero remarcar minha consulta"),
    (4, "SMS", "What are your opening hours?"),
    (6, "WhatsApp", "Obrigada!"),
    (7, "SMS", "Can I pay on delivery?"),
    (8, "WhatsApp", "Onde fica a loja?"),
    (9, "SMS", "Please call me back"),
]
_BURST = ["Oi", "tudo bem?", "queria saber", "quanto custa a entrega"]


def _report(demo: Demo, messages: list[Sent], repeat: Sent, forged: Sent) -> bool:
    replies = {reply["reply_id"]: reply for reply in demo.replies()}
    times_sent = Counter(reply["reply_id"] for reply in demo.replies())
    table = Table(title="What came in, and what went out")
    for heading, width in (("from", 13), ("message", 29), ("", 6), ("webhook", 12), ("reply", 26)):
        table.add_column(heading, no_wrap=True, max_width=width)
    table.add_column("after", justify="right", no_wrap=True)
    table.add_column("answered", no_wrap=True)
    all_well = True
    for sent in messages:
        reply_id = demo.reply_to(sent)
        reply, times = replies.get(reply_id or ""), times_sent[reply_id or ""]
        all_well &= sent.status == 200 and times == 1
        after = "" if reply is None else f"{(reply['sent_at'] - sent.sent_at_ms) / 1000:.2f} s"
        verdict = {0: "[red]MISSING[/]", 1: "[green]once[/]"}.get(times, f"[red]{times} TIMES[/]")
        said = "" if reply is None else escape(reply["body"].replace("\n", " / "))
        table.add_row(*_about(sent), said, after, verdict)
    known = len(demo.conversations.reader.thread(inbound.read(repeat.parameters).conversation))
    all_well &= repeat.status == 200 and known == 2  # the message and its answer, once each
    table.add_row(*_about(repeat), "", "", "[green]known already[/]" if known == 2 else "[red]TWICE[/]")
    refused = forged.status == 403 and demo.reply_to(forged) is None
    all_well &= refused and len(times_sent) == len({demo.reply_to(sent) for sent in messages})
    table.add_row(*_about(forged), "", "", "[green]refused[/]" if refused else "[red]LET IN[/]")
    out.print(table)
    return all_well


def _about(sent: Sent) -> tuple[str, str, str, str]:
    sender = sent.parameters["From"]
    channel = "WhatsApp" if sender.startswith("whatsapp:") else "SMS"
    webhook = f"{sent.status} in {sent.answered_in_ms:.0f} ms"
    return f"{channel:8} ••{sender[-2:]}", escape(sent.parameters["Body"]), sent.note, webhook


def _settings(port: int, auth_token: str) -> dict[str, str]:
    return {
        "AI_PROVIDER": "echo",
        "API_HOST": "127.0.0.1",
        "API_PORT": str(port),
        "ECHO_DELAY_S": "0.5",
        "LOG_FORMAT": "console",
        "METRICS_DIRECTORY": "metrics",
        "METRICS_PORT": "0",  # the API shows the workers' too
        "PUBLIC_BASE_URL": PUBLIC_BASE_URL,
        "REPLY_RECONCILE_DELAYS_S": "1,1",
        "REPLY_SENDER": "console",
        "TWILIO_AUTH_TOKEN": auth_token,
        "TWILIO_VALIDATE_SIGNATURES": "true",
        "QUEUE_SQLITE_DB_PATH": "queue.db",
        "CONVERSATIONS_SQLITE_DB_PATH": "conversations.db",
        "CONSOLE_OUTBOX_PATH": "outbox.jsonl",
    }


def _start(processes: Processes, port: int, auth_token: str) -> Demo:
    processes.start("api", "api")
    processes.start("worker-1", "worker")
    processes.start("worker-2", "worker")
    demo = Demo(processes, port, auth_token)
    demo.wait_until("the API is ready", demo.is_ready)
    return demo


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _model_settings(model_port: int) -> dict[str, str]:
    return {
        "AI_PROVIDER": "openai",
        "AI_API_KEY": "none",
        "AI_BASE_URL": f"http://127.0.0.1:{model_port}/v1",
        "AI_MODEL": local_model.NAME,
        "AI_MAX_TOKENS": "24",
    }


def _start_model(demo: Demo, model_port: int) -> None:
    def answers() -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{model_port}/health").status_code == 200
        except httpx.TransportError:
            return False

    demo.patience_s = PATIENCE_WITH_A_MODEL_S
    demo.processes.start("model", "--port", str(model_port), module="ops.local_model")
    demo.wait_until("the model answers", answers)
    out.print(
        f"  {local_model.NAME} answers, on this machine: it shows the way of a message through a real model, "
        "and not what a good one says."
    )


def run_demo(*, with_a_model: bool = False) -> int:
    """The demo, on fresh files. Returns the exit code."""
    auth_token, port, model_port = secrets.token_hex(16), _free_port(), _free_port()
    settings = _settings(port, auth_token) | (_model_settings(model_port) if with_a_model else {})
    with (
        tempfile.TemporaryDirectory(prefix="recado-demo-") as directory,
        Processes(Path(directory), settings) as processes,
    ):
        try:
            out.print(
                "[bold]Recado[/]: an API and two workers, as separate processes, on a fresh SQLite file"
            )
            demo = _start(processes, port, auth_token)
            if with_a_model:
                _start_model(demo, model_port)
            all_well = play(demo)
        except DemoFailed as failure:
            return _explain(failure)
    if all_well:
        out.print("[green]Every message was answered exactly once.[/]")
        return 0
    out.print("[red]A reply is missing or doubled.[/]")
    return 1


def _explain(failure: DemoFailed) -> int:
    out.print(f"[red]{failure}[/]. The end of {failure.log.name}:")
    out.print(failure.log.read_text()[-4000:], markup=False)
    return 1


def keep_running() -> int:
    """`recado up` on ./data, until Ctrl-C or SIGTERM. Returns the exit code."""
    directory = Path("data").absolute()
    directory.mkdir(exist_ok=True)
    auth_token = "recado-development"  # noqa: S105  known to all, for a server on loopback
    settings = {
        **_settings(8000, auth_token),
        "DASHBOARD_TRY_IT": "true",
        "ECHO_DELAY_S": "2",  # about as long as a model, and long enough to watch
        "HEARTBEAT_INTERVAL_S": "0.25",  # so that the page sees at once which worker is at work
        "PUBLIC_BASE_URL": "http://127.0.0.1:8000",
        "WORKERS": "2",
    }
    with Processes(directory, settings) as processes:
        try:
            processes.start("up", "up")
            demo = Demo(processes, 8000, auth_token)
            demo.log = "up"
            demo.wait_until("the API is ready", demo.is_ready)
        except DemoFailed as failure:
            return _explain(failure)
        out.print(
            "Recado runs. Play a customer, watch the message, and kill its worker at\n\n"
            "  http://127.0.0.1:8000/dashboard/try-it\n\n"
            "or write to it from another terminal:\n\n"
            "  TWILIO_AUTH_TOKEN=recado-development PUBLIC_BASE_URL=http://127.0.0.1:8000 \\\n"
            '    .venv/bin/recado send "Olá" --from whatsapp:+5511900000001\n\n'
            "Replies appear here; the log is ./data/up.log. Ctrl-C stops.",
            highlight=False,
        )
        return _show_replies(demo)


def _show_replies(demo: Demo) -> int:
    shown = len(demo.replies())
    try:
        while not demo.processes.ended():
            for reply in demo.replies()[shown:]:
                out.print(f"[green]→ {masked(reply['to'])}[/] ", end="")
                out.print(reply["body"], markup=False, highlight=False)
                shown += 1
            time.sleep(0.2)
    except KeyboardInterrupt:
        return 0
    name = demo.processes.ended()[0]
    out.print(f"[red]{name} ended.[/] Its log: {demo.processes.log_of(name)}")
    return 1


def main() -> int:
    parser = argparse.ArgumentParser(description="Show Recado at work.")
    parser.add_argument("--keep-running", action="store_true", help="keep the system up until Ctrl-C")
    parser.add_argument("--ai", choices=["local"], help="have a small model of this machine answer")
    for number in (signal.SIGTERM, signal.SIGHUP):  # and what was started is stopped
        signal.signal(number, lambda *_: sys.exit(0))
    arguments = parser.parse_args()
    return keep_running() if arguments.keep_running else run_demo(with_a_model=arguments.ai == "local")


if __name__ == "__main__":
    sys.exit(main())

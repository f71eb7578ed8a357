"""`recado queues`: what waits, runs, and died; pausing and resuming; moving to another engine."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from .audit import recorded
from .console import AsJson, failed, installed, out, print_json

if TYPE_CHECKING:
    from brokers.durable import DurableBroker

#: Engines that messages can be moved from.
MOVABLE = ("sqlite", "redis", "bullmq")

app = typer.Typer(help="Queues: what waits, runs, and died; pause them and resume them.")


@app.callback(invoke_without_command=True)
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every queue, or pause or resume one."""
    from .tables import queue_table

    if context.invoked_subcommand is None:
        stats = installed().broker.backend.stats()
        if as_json:
            print_json([asdict(each) for each in stats])
        else:
            out.print(queue_table(stats))


@app.command()
def pause(name: str) -> None:
    """Stop handing out a queue's messages, in every process. They go on being accepted."""
    broker = installed().broker
    _check_name(broker, name)
    with recorded("pause queue", name):
        broker.backend.pause(name)
    out.print(f"{name} is paused: `recado queues resume {name}` ends that.")


@app.command()
def resume(name: str) -> None:
    """Hand out a paused queue's messages again."""
    broker = installed().broker
    _check_name(broker, name)
    with recorded("resume queue", name):
        broker.backend.resume(name)
    out.print(f"{name} runs.")


def _check_name(broker: DurableBroker, name: str) -> None:
    """A queue of a misspelt name would be created by pausing it, and the one that was meant go on."""
    known = broker.get_declared_queues() | {stats.queue for stats in broker.backend.stats()}
    if name not in known:
        raise failed(f"There is no queue {name}. The queues are {', '.join(sorted(known))}.")


@app.command()
def move(
    source: Annotated[str, typer.Option("--from", help="The engine to leave: sqlite, redis or bullmq.")],
    patience_s: Annotated[
        float, typer.Option("--wait", help="Seconds that running messages may take to finish.")
    ] = 60.0,
) -> None:
    """Move what is queued on another engine to the one that is set now. Conversations stay where they are."""
    from actors.engines import queue_backend
    from actors.services import boot
    from ops.foundation.settings import CONVERSATIONS_BESIDE
    from ops.moving import StillRunning, move_messages, stop

    settings, target = boot().settings, boot().broker.backend
    if not target.capabilities.moves:
        target.adopt([])  # which says why not, and what to do
    if source not in MOVABLE or source == settings.queue_backend:
        out.print(
            f"QUEUE_BACKEND is {settings.queue_backend}: set it to the engine to go to, and name the one to "
            "leave with --from."
        )
        raise typer.Exit(2)
    beside = CONVERSATIONS_BESIDE[source]
    if settings.conversations_on != beside:
        out.print(
            "What is queued needs its conversations, which are not moved: set "
            f"CONVERSATIONS_BACKEND={beside} for the API, the workers and this command."
        )
        raise typer.Exit(2)
    try:
        backend = queue_backend(settings, source)
    except ModuleNotFoundError as error:  # an extra
        out.print(str(error), markup=False)
        raise typer.Exit(2) from error
    try:
        stop(backend, patience_s=patience_s)
        moved = move_messages(backend, target, say=out.print)
    except StillRunning as error:
        out.print(str(error), markup=False)
        raise typer.Exit(1) from error
    out.print(f"{moved} message(s) are in {settings.queue_backend} now.")
    backend.close()
    target.close()

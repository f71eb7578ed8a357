"""The command line."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from . import conversations
from .console import out
from .foundation.settings import SettingsError

app = typer.Typer(
    name="recado",
    help="Twilio webhooks in, AI replies out, and not one message lost between.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.command()
def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on; API_HOST otherwise.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; API_PORT otherwise.")] = None,
) -> None:
    """Run the front door: webhooks, health, metrics, the dashboard."""
    from ops.foundation.settings import load_settings

    settings = load_settings(serving=True)  # before anything else looks at them: all that is wrong, at once

    from functools import partial

    from api.app import create_app
    from ops.server import run_server
    from ops.supervisor.status.status_client import fetch_status_if_any

    raise typer.Exit(
        run_server(
            create_app(supervisor=partial(fetch_status_if_any, settings.run_directory)),
            host=host or settings.api_host,
            port=settings.api_port if port is None else port,
            request_within_s=settings.api_request_timeout_s,
        )
    )


@app.command()
def worker(
    threads: Annotated[int | None, typer.Option(help="Messages at a time; WORKER_THREADS otherwise.")] = None,
    queue: Annotated[list[str] | None, typer.Option(help="Only this queue; may be repeated.")] = None,
    module: Annotated[
        list[str] | None, typer.Option(help="Import this too, for its actors; may be repeated.")
    ] = None,
) -> None:
    """Run one worker process. For several, start several."""
    from ops.foundation.settings import load_settings
    from ops.worker import run_worker

    if threads is None:
        threads = load_settings().worker_threads
    raise typer.Exit(run_worker(threads=threads, queues=queue, modules=module or ()))


@app.command()
def up(
    module: Annotated[
        list[str] | None, typer.Option(help="Workers import this too, for its actors; may be repeated.")
    ] = None,
) -> None:
    """Run the API and the workers, and keep them running. Ctrl-C drains and stops; SIGHUP reloads."""
    # In this process's place, with its process id and without what a command line needs in memory.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "ops.supervisor", *(module or ())])  # noqa: S606  ours


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="All there is to know, for programs.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every second, until Ctrl-C.")] = False,
) -> None:
    """Show what `recado up` runs, and how it is."""
    from ops.supervisor.errors import Unreachable
    from ops.supervisor.status.status_command import show_status

    try:
        show_status(out, as_json=as_json, watch=watch)
    except Unreachable as error:
        out.print(str(error), markup=False, highlight=False)
        raise typer.Exit(1) from error


@app.command()
def send(
    text: Annotated[str, typer.Argument(help="What the contact writes.")],
    sender: Annotated[str, typer.Option("--from", help="Who writes, such as whatsapp:+5511900000001.")],
    to: Annotated[
        str | None, typer.Option(help="Our address; +15005550006 in the same channel otherwise.")
    ] = None,
    sid: Annotated[str | None, typer.Option(help="MessageSid; a new one otherwise.")] = None,
) -> None:
    """Send the running API a signed webhook, as Twilio would."""
    import httpx

    from ops.foundation.settings import load_settings
    from ops.webhook import post_message

    settings = load_settings()
    channel = "whatsapp:" if sender.startswith("whatsapp:") else ""
    try:
        response = post_message(
            settings, text, sender=sender, to=to or f"{channel}+15005550006", message_sid=sid
        )
    except httpx.HTTPError as error:
        where = f"http://{settings.api_host}:{settings.api_port}"
        out.print(f"No answer from the API at {where}: {error}. Is `recado api` running?", markup=False)
        raise typer.Exit(1) from error
    out.print(f"{response.status_code} {response.text.strip()}", markup=False)
    raise typer.Exit(0 if response.status_code == 200 else 1)


@app.command()
def doctor() -> None:
    """Check settings, queue, signatures and reachability; say what is wrong and how to mend it."""
    from ops.doctor import examine

    findings = examine()
    for finding in findings:
        mark = "[green]ok[/]  " if finding.ok else "[red]FAIL[/]"
        out.print(f"{mark} {finding.what}", highlight=False)
        if finding.remedy:
            out.print(f"     {finding.remedy}", markup=False, highlight=False)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


app.add_typer(conversations.app, name="conversations")
app.command()(conversations.say)


queues = typer.Typer(help="Queues: what waits, runs, and died; pause them and resume them.")
app.add_typer(queues, name="queues")


@queues.callback(invoke_without_command=True)
def queues_show(context: typer.Context) -> None:
    """Show every queue, or pause or resume one."""
    from actors.services import boot
    from ops.tables import queue_table

    if context.invoked_subcommand is None:
        out.print(queue_table(boot().broker.backend.stats()))


@queues.command("pause")
def queues_pause(name: str) -> None:
    """Stop handing out a queue's messages, in every process. They go on being accepted."""
    from actors.services import boot

    boot().broker.backend.pause(name)
    out.print(f"{name} is paused: `recado queues resume {name}` ends that.")


@queues.command("resume")
def queues_resume(name: str) -> None:
    """Hand out a paused queue's messages again."""
    from actors.services import boot

    boot().broker.backend.resume(name)
    out.print(f"{name} runs.")


@queues.command("move")
def queues_move(
    source: Annotated[str, typer.Option("--from", help="The engine to leave: sqlite or redis.")],
    patience_s: Annotated[
        float, typer.Option("--wait", help="Seconds that running messages may take to finish.")
    ] = 60.0,
) -> None:
    """Move what is queued on another engine to the one that is set now. Conversations stay where they are."""
    from actors.engines import queue_backend
    from actors.services import boot
    from ops.moving import StillRunning, move_messages, stop

    settings, target = boot().settings, boot().broker.backend
    if not target.capabilities.moves:
        target.adopt([])  # which says why not, and what to do
    if source not in {"sqlite", "redis"} or source == settings.queue_backend:
        out.print(
            f"QUEUE_BACKEND is {settings.queue_backend}: set it to the engine to go to, and name the one to "
            "leave with --from."
        )
        raise typer.Exit(2)
    if settings.conversations_on != source:
        out.print(
            "What is queued needs its conversations, which are not moved: set "
            f"CONVERSATIONS_BACKEND={source} for the API, the workers and this command."
        )
        raise typer.Exit(2)
    backend = queue_backend(settings, source)
    try:
        stop(backend, patience_s=patience_s)
        moved = move_messages(backend, target, say=out.print)
    except StillRunning as error:
        out.print(str(error), markup=False)
        raise typer.Exit(1) from error
    out.print(f"{moved} message(s) are in {settings.queue_backend} now.")
    backend.close()
    target.close()


dead = typer.Typer(help="Dead letters: look at them, run them again, or discard them.", no_args_is_help=True)
app.add_typer(dead, name="dead")

Queue = Annotated[str | None, typer.Option(help="Only of this queue.")]
Actor = Annotated[str | None, typer.Option(help="Only of this actor.")]
Ids = Annotated[list[str] | None, typer.Argument(help="Message ids.")]


@dead.command("list")
def dead_list(queue: Queue = None, actor: Actor = None, limit: int = 50) -> None:
    """List dead letters, newest first."""
    from actors.services import boot
    from brokers.records import DeadLetterFilter
    from ops.tables import dead_letter_table

    which = DeadLetterFilter(queue=queue, actor=actor)
    out.print(dead_letter_table(boot().broker.backend.dead_letters(which, limit=limit)))


@dead.command("show")
def dead_show(message_id: str) -> None:
    """Show one dead letter, with its traceback."""
    from actors.services import boot
    from ops.tables import dead_letter_details

    stored = boot().broker.backend.get(message_id)
    if stored is None or stored.state != "dead":
        out.print(f"There is no dead letter {message_id}.")
        raise typer.Exit(1)
    for name, value in dead_letter_details(stored):
        out.print(f"{name:>12}  {value}", markup=False, highlight=False, soft_wrap=True)


@dead.command("replay")
def dead_replay(
    message_ids: Ids = None,
    every: Annotated[bool, typer.Option("--all")] = False,
    queue: Queue = None,
    actor: Actor = None,
) -> None:
    """Run dead letters again, with a fresh record: those named, or with --all every one that matches."""
    from actors.services import boot
    from ops.dead_letters import select

    broker = boot().broker
    ids = select(broker.backend, message_ids, every=every, queue=queue, actor=actor)
    replayed = sum(broker.replay(message_id) for message_id in ids)
    out.print(f"{replayed} of {len(ids)} replayed.")
    broker.close()
    raise typer.Exit(0 if replayed == len(ids) else 1)


@dead.command("discard")
def dead_discard(
    message_ids: Ids = None,
    every: Annotated[bool, typer.Option("--all")] = False,
    queue: Queue = None,
    actor: Actor = None,
) -> None:
    """Delete dead letters for good: those named, or with --all every one that matches."""
    from actors.services import boot
    from brokers.records import DeadLetterFilter
    from ops.dead_letters import select

    broker = boot().broker
    ids = select(broker.backend, message_ids, every=every, queue=queue, actor=actor)
    out.print(f"{broker.backend.discard(DeadLetterFilter(message_ids=ids))} discarded.")
    broker.close()


def main() -> None:
    """Run the command line.

    Wrong settings, an engine that is away, and what it cannot do, are a message and not a traceback.
    """
    try:
        app()
    except SettingsError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        from dramatiq.errors import BrokerError

        if not isinstance(error, BrokerError):
            raise
        print(error, file=sys.stderr)
        sys.exit(1)

"""The command line."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from .commands import conversations, dead, plan, privacy, profiles, queues, tokens, usage, users
from .commands.console import out
from .foundation import gc_tuning
from .foundation.settings import SettingsError

app = typer.Typer(
    name="recado",
    help="Twilio webhooks in, AI replies out, and not one message lost between.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


def _show_version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(version("recado"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version, and no more."
        ),
    ] = False,
) -> None:
    """Twilio webhooks in, AI replies out, and not one message lost between."""


@app.command()
def api(
    host: Annotated[str | None, typer.Option(help="Address to listen on; API_HOST otherwise.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; API_PORT otherwise.")] = None,
) -> None:
    """Run the front door: webhooks, the API for other programs, health, metrics, the dashboard."""
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
        where = settings.local_url
        out.print(f"No answer from the API at {where}: {error}. Is `recado api` running?", markup=False)
        raise typer.Exit(1) from error
    out.print(f"{response.status_code} {response.text.strip()}", markup=False)
    raise typer.Exit(0 if response.status_code == 200 else 1)


@app.command()
def doctor(
    notify: Annotated[
        bool, typer.Option("--notify", help="Send a notice to each URL of NOTIFY_URLS, too.")
    ] = False,
) -> None:
    """Check settings, queue, signatures and reachability; say what is wrong and how to mend it."""
    from ops.doctor import examine

    findings = examine(notify=notify)
    for finding in findings:
        mark = "[green]ok[/]  " if finding.ok else "[red]FAIL[/]"
        out.print(f"{mark} {finding.what}", highlight=False)
        if finding.remedy:
            out.print(f"     {finding.remedy}", markup=False, highlight=False)
    raise typer.Exit(0 if all(finding.ok for finding in findings) else 1)


app.add_typer(conversations.app, name="conversations")
app.command()(conversations.say)
app.command()(conversations.attention)
app.command()(conversations.decide)
app.add_typer(dead.app, name="dead")
app.add_typer(profiles.app, name="profiles")
app.add_typer(queues.app, name="queues")
app.add_typer(tokens.app, name="tokens")
app.add_typer(users.app, name="users")
app.command()(usage.usage)
app.command()(plan.plan)
app.command()(privacy.forget)
app.command("export")(privacy.export_)


def main() -> None:
    """Run the command line.

    Wrong settings, an engine that is away, and what it cannot do, are a message and not a traceback.
    """
    gc_tuning.begin()
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

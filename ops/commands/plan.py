"""`recado plan`: how many processes, cores and senders a load needs."""

from __future__ import annotations

from typing import Annotated

import typer

from .console import AsJson, out, print_json

#: What each figure of a plan is called, and its unit.
NAMES = {
    "messages_per_second": "messages a second, at the peak",
    "calls_in_flight": "calls of the model at a time",
    "workers": "worker processes (WORKERS, of all machines together)",
    "cores": "cores",
    "memory_mb": "memory, in MB",
    "machines": "machines of 16 cores",
    "engine": "where messages wait (QUEUE_BACKEND)",
    "whatsapp_senders": "WhatsApp senders, at 80 messages a second each",
    "sms_numbers": "SMS long codes, at one segment a second each",
}


def plan(
    messages_per_hour: Annotated[float, typer.Option(min=0.001, help="Messages that come in, on average.")],
    model_seconds: Annotated[
        float, typer.Option(min=0, help="How long the model takes for an answer.")
    ] = 5.0,
    peak: Annotated[
        float, typer.Option(min=1, help="How many times the average the busiest minute brings.")
    ] = 3.0,
    as_json: AsJson = False,
) -> None:
    """Say how many processes, cores and senders a load needs. docs/scaling.md tells what that rests on."""
    from rich.table import Table

    from ops.foundation.settings import Settings
    from ops.planning import plan as plan_for

    calls_per_worker = Settings.model_fields["ai_calls_per_worker"].default
    needed = plan_for(messages_per_hour, model_seconds, peak=peak, calls_per_worker=calls_per_worker)
    if as_json:
        print_json(needed._asdict())
        return
    table = Table(
        "needed", "", title=f"{messages_per_hour:,.0f} messages an hour, a model of {model_seconds:g} s"
    )
    for name, value in needed._asdict().items():
        table.add_row(NAMES[name], f"{value:,}" if isinstance(value, int | float) else value)
    out.print(table)

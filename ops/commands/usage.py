"""`recado usage`: replies, segments, tokens and what they cost."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer

from .console import AsJson, installed, out, print_json

#: So many lines are shown at most, which is more than anybody reads.
MOST_LINES = 1_000


def usage(
    days: Annotated[int, typer.Option(min=1, max=400, help="Of how many days, today included.")] = 7,
    by: Annotated[
        Literal["day", "number", "model", "contact"], typer.Option(help="What each line is about.")
    ] = "day",
    as_json: AsJson = False,
) -> None:
    """Show what was used: replies, segments, tokens and costs, by day, number, model or contact."""
    from actors.conversations.usage import day_of
    from actors.usage_report import report
    from brokers.clock import now_ms

    from .tables import usage_table

    services, today = installed(conversations=True), day_of(now_ms())
    lines = report(services.conversations.usage, by, since=today - days + 1, until=today, limit=MOST_LINES)
    currency = services.settings.currency
    if as_json:
        print_json({"currency": currency, "by": by, "lines": [_as_json(line) for line in lines]})
    elif lines:
        out.print(usage_table(lines, by=by, currency=currency))
    else:
        out.print("Nothing was used in these days.")


def _as_json(line: Any) -> dict[str, Any]:
    from actors.keys import ConversationKey
    from actors.prices import MICRO

    sums = line.sums
    about = {} if line.conversation is None else {"address": ConversationKey.read(line.conversation).address}
    return {
        "name": line.name,
        **about,
        "replies": sums.replies,
        "segments": sums.segments,
        "input_tokens": sums.input_tokens,
        "output_tokens": sums.output_tokens,
        "model_cost": sums.model_cost / MICRO,
        "channel_cost": sums.channel_cost / MICRO,
        "cost": None if sums.known_cost is None else sums.known_cost / MICRO,
        "unpriced_answers": sums.unpriced,
    }

"""What the command line shows."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.markup import escape
from rich.table import Table

from actors.conversations.reader import Attention, Summary, ThreadEntry
from actors.conversations.search import FoundText
from actors.conversations.usage import Sums
from actors.keys import ConversationKey
from actors.prices import MICRO
from actors.profiles import Profile
from actors.reply import REPLY_STATES
from actors.subject import Subject
from actors.usage_report import UsageLine
from api.users import KeptUser
from api.v1.tokens import Token
from brokers.records import QueueStats, StoredMessage

#: So much of a text is shown where there is a line for it, in characters.
MOST_SHOWN = 160


def queue_table(stats: Sequence[QueueStats]) -> Table:
    """Queues, a line each."""
    table = Table("queue", title="Queues")
    for heading in ("ready", "delayed", "running", "dead", "done", "oldest waits"):
        table.add_column(heading, justify="right")
    for queue in stats:
        waits_s = queue.seconds_since(queue.waits_since)
        waits = "" if waits_s is None else f"{waits_s:.1f} s"
        counts = (queue.ready, queue.delayed, queue.running, queue.dead, queue.done)
        name = queue.queue + (" (paused)" if queue.paused else "")
        table.add_row(name, *("" if count is None else f"{count:,}" for count in counts), waits)
    return table


def dead_letter_lines(letter: StoredMessage, subject: Subject | None) -> list[str]:
    """One dead letter in a few lines: its id whole, to be pasted into the next command."""
    last_line = (letter.last_error or "").strip().rpartition("\n")[2]
    lines = [
        letter.message_id,
        f"  {_utc(letter.died_at)} UTC, queue {letter.queue}, {letter.actor}: {letter.reason}",
        f"  {last_line}",
    ]
    if subject is not None:
        lines.insert(1, f"  {subject.contact}: {_short(subject.text)}")
    return lines


def dead_letter_details(letter: StoredMessage) -> list[tuple[str, str]]:
    """All that is known of one dead letter, by name."""
    times = {"enqueued_at", "due_at", "died_at"}
    return [
        (name, _utc(value) if name in times else _payload(value) if name == "payload" else str(value))
        for name, value in letter._asdict().items()
    ]


def _payload(payload: bytes) -> str:
    """Write a payload as people read it. Its traceback is left out: `last_error` is the same."""
    try:
        message = json.loads(payload)
        message.get("options", {}).pop("traceback", None)
        return json.dumps(message, ensure_ascii=False, indent=1)
    except (ValueError, AttributeError, RecursionError):  # any program may have enqueued it
        return payload.decode(errors="replace")


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= MOST_SHOWN else line[: MOST_SHOWN - 1] + "…"


def conversation_table(summaries: Sequence[Summary]) -> Table:
    """Conversations, a line each."""
    table = Table(title="Conversations")
    for heading in ("contact", "at", "last (UTC)", "who answers", "waiting", "said last"):
        table.add_column(heading)
    for each in summaries:
        who = each.mode + (f": {each.mode_reason}" if each.mode_reason else "")
        said = f"{each.author}: {each.text}"
        table.add_row(
            *map(escape, (each.contact, each.address, _utc(each.last_at), who)),
            str(each.unanswered),
            escape(said),
        )
    return table


def attention_table(waiting: Sequence[Summary], entries: Sequence[Attention]) -> Table:
    """What waits for a person, a line each."""
    table = Table(title="Needs attention")
    for heading in ("what", "contact", "since (UTC)", "text", "why", "id"):
        table.add_column(heading)
    for each in waiting:
        said = (each.contact, _utc(each.last_at), each.text, each.mode_reason or "", each.message_id)
        table.add_row("waits for a person", *map(escape, said))
    for entry in entries:
        what = "got no answer" if entry.state is None else REPLY_STATES[entry.state].label
        contact = ConversationKey.read(entry.conversation).contact
        table.add_row(
            *map(escape, (what, contact, _utc(entry.at), entry.text, entry.error or "", entry.entry_id))
        )
    return table


def thread_table(summary: Summary, thread: Sequence[ThreadEntry]) -> Table:
    """What was said, a line each, oldest first."""
    answers = summary.mode + (f": {summary.mode_reason}" if summary.mode_reason else "")
    table = Table(title=escape(f"{summary.contact} at {summary.address}, answered by {answers}"))
    for heading in ("when (UTC)", "who", "said", "state"):
        table.add_column(heading)
    for entry in thread:
        who = entry.written_by or ("contact" if entry.author == "contact" else "assistant")
        state = "" if entry.state is None else REPLY_STATES[entry.state].label
        if entry.delivery_status is not None:
            state = f"{state}, {entry.delivery_status}"
        if entry.text or entry.state != "cancelled":  # silence is nothing that was said
            table.add_row(*map(escape, (_utc(entry.at), who, entry.text, state)))
    return table


def text_table(texts: Iterable[FoundText]) -> Table:
    """Texts that were found, a line each."""
    table = Table("when (UTC)", "contact", "who", "said", title="What was said")
    for each in texts:
        contact = f"{each.name} {each.contact}" if each.name else each.contact
        who = "contact" if each.author == "contact" else "shop"
        table.add_row(*map(escape, (_utc(each.at), contact, who, each.text)))
    return table


def profile_facts(profile: Profile, *, at_ms: int) -> dict[str, Any]:
    """What is told of a profile. `open` is None for one without hours."""
    settings, hours = profile.settings, profile.hours
    return {
        "name": profile.name,
        "addresses": list(profile.addresses),
        "ai_provider": settings.ai_provider,
        "model": settings.ai_model if settings.ai_provider == "openai" else None,
        "language": profile.language,
        "open": None if hours is None else hours.closed_since(at_ms) is None,
        "closed_mode": None if hours is None else hours.closed_mode,
    }


def profile_table(profiles: Iterable[Profile], *, at_ms: int) -> Table:
    """Profiles, a line each."""
    table = Table("profile", "addresses", "model", "language", "open now", title="Profiles")
    for profile in profiles:
        facts = profile_facts(profile, at_ms=at_ms)
        is_open = {None: "always", True: "yes", False: "no"}[facts["open"]]
        model = facts["model"] or facts["ai_provider"]
        cells = (profile.name, "\n".join(profile.addresses), model, profile.language or "", is_open)
        table.add_row(*map(escape, cells))
    return table


def token_table(tokens: Sequence[tuple[Token, bool]]) -> Table:
    """Tokens of other programs, a line each, with whether each has expired."""
    table = Table("name", "role", "made (UTC)", "ends (UTC)", title="Tokens")
    for token, has_expired in tokens:
        ends = "never" if token.expires_at is None else _utc(token.expires_at)
        table.add_row(
            token.name, token.role, _utc(token.created_at), ends + (" (over)" if has_expired else "")
        )
    return table


def user_table(users: Sequence[KeptUser]) -> Table:
    """Users of the dashboard, a line each."""
    table = Table("name", "role", "made (UTC)", title="Users")
    for user in users:
        table.add_row(escape(user.name), user.role, _utc(user.created_at))
    return table


def usage_table(lines: Sequence[UsageLine], *, by: str, currency: str) -> Table:
    """What was used, a line each, and all together."""
    table = Table(by, title="Usage")
    for heading in ("replies", "segments", "tokens in", "tokens out", f"cost ({currency})"):
        table.add_column(heading, justify="right")
    total = Sums.of(line.sums for line in lines)
    for name, sums in [*((line.name or "no model", line.sums) for line in lines), ("all", total)]:
        counts = (sums.replies, sums.segments, sums.input_tokens, sums.output_tokens)
        cost = "" if sums.known_cost is None else f"{sums.known_cost / MICRO:,.6f}"
        table.add_row(escape(name), *(f"{count:,}" for count in counts), cost)
    return table


def _utc(milliseconds: int | None) -> str:
    return f"{datetime.fromtimestamp((milliseconds or 0) / 1000, tz=UTC):%Y-%m-%d %H:%M:%S}"

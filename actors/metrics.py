"""Metrics of what the actors do. One place, so that no two parts count the same thing twice."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from itertools import product
from typing import get_args

from prometheus_client import Counter, Gauge, Histogram

from .conversation import MediaKind

SECONDS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600)


class Metrics:
    """Every metric of the actors. `metrics()` gives the process's own."""

    def __init__(self) -> None:
        self.ai_requests = Counter(
            "recado_ai_requests_total",
            "Answers asked of the responder, by how that ended: answered, unavailable, refused, failed.",
            ["provider", "outcome"],
        )
        self.ai_errors = Counter(
            "recado_ai_errors_total", "Answers the responder did not give.", ["provider", "error"]
        )
        self.ai_seconds = Histogram(
            "recado_ai_request_duration_seconds", "Time the responder took.", ["provider"], buckets=SECONDS
        )
        self.ai_tokens = Counter(
            "recado_ai_tokens_total", "Tokens paid for: prompt, completion.", ["model", "kind"]
        )
        self.media = Counter(
            "recado_media_total",
            "Attachments by what they are, and what became of fetching them: fetched, failed.",
            ["kind", "outcome"],
        )
        for kind, outcome in product(get_args(MediaKind), ("fetched", "failed")):
            self.media.labels(kind, outcome)
        self.transcriptions = Counter(
            "recado_transcriptions_total",
            "Voice notes that a model was to write down, by what became of that: done, failed.",
            ["outcome"],
        )
        for outcome in ("done", "failed"):
            self.transcriptions.labels(outcome)
        self.typing_indicators = Counter(
            "recado_typing_indicators_total",
            "Typing indicators by what became of them: shown, refused, failed (no answer, or an error of "
            "Twilio's), left_out (Twilio refused one lately, or too many wait for its answer).",
            ["outcome"],
        )
        for outcome in ("shown", "refused", "failed", "left_out"):
            self.typing_indicators.labels(outcome)
        self.twilio_requests = Counter(
            "recado_twilio_requests_total",
            "Calls of Twilio's REST API, by how they ended: accepted, not_yet, never, unknown.",
            ["operation", "outcome"],
        )
        self.twilio_errors = Counter(
            "recado_twilio_errors_total",
            "Errors of Twilio's, by its code or what kept it.",
            ["operation", "error"],
        )
        self.ai_calls_limit = Gauge(
            "recado_ai_calls_limit",
            "Calls of the responder that all workers together may have in flight; 0 in a pause that it asked "
            "for. It is below its most while the responder says that it has too much to do.",
            multiprocess_mode="livesum",
        )
        self.ai_calls_put_off = Counter(
            "recado_ai_calls_put_off_total",
            "Messages that went back to the queue because the responder may not be asked now: full "
            "(AI_MAX_CONCURRENT calls are in flight), for_others (another number of ours waits, and has "
            "fewer), paused (the responder asked some worker for a pause).",
            ["why"],
        )
        for why in ("full", "for_others", "paused"):
            self.ai_calls_put_off.labels(why)
        self.chores_failed = Counter(
            "recado_chores_failed_total",
            "Times that a chore of a worker could not be done: housekeeping, media, search, deliveries. It "
            "is tried again.",
            ["chore"],
        )
        for chore in ("housekeeping", "media", "search", "deliveries"):
            self.chores_failed.labels(chore)
        self.twilio_seconds = Histogram(
            "recado_twilio_request_duration_seconds",
            "Time a call of Twilio's REST API took.",
            ["operation"],
            buckets=SECONDS,
        )
        self.replies = Counter(
            "recado_replies_total",
            "Replies by what became of their sending: sent, failed, unknown (being looked into), lost, "
            "sent_again (the channel had accepted them, and could not deliver them).",
            ["state"],
        )
        for state in ("sent", "failed", "unknown", "lost", "sent_again"):
            self.replies.labels(state)  # there from the beginning, or the first of them would be no increase
        self.segments = Counter(
            "recado_reply_segments_total",
            "Messages that the replies sent are to the channel, which it bills.",
        )
        self.reply_seconds = Histogram(
            "recado_webhook_to_reply_seconds",
            "Time from the oldest message a reply answers to the reply being sent: the number "
            "customers feel.",
            buckets=SECONDS,
        )
        self.deliveries = Counter(
            "recado_delivery_statuses_total", "What Twilio reported of deliveries.", ["status"]
        )
        self.delivery_checks = Counter(
            "recado_delivery_checks_total",
            "Sent replies that Twilio was asked about, because no callback told of the end of their "
            "delivery, by what came of it: moved (recorded as if a callback had told), unchanged, gone, "
            "refused, put_off.",
            ["outcome"],
        )
        for outcome in ("moved", "unchanged", "gone", "refused", "put_off"):
            self.delivery_checks.labels(outcome)
        self.opt_outs = Counter(
            "recado_opt_outs_total",
            "Contacts who want no messages, by who said so: they by a keyword, or the channel.",
            ["source"],
        )
        for source in ("keyword", "channel"):
            self.opt_outs.labels(source)
        self.hand_overs = Counter(
            "recado_hand_overs_total",
            "Conversations given to a person, by who asked for that: the contact by a keyword, the "
            "responder, an operator who took over, a limit, or the day's budget.",
            ["asked_by"],
        )
        for asked_by in ("contact", "responder", "operator", "limit", "budget"):
            self.hand_overs.labels(asked_by)
        self.notices = Counter(
            "recado_notices_total",
            "Notices to people, by what became of them: told, refused (kept, and tried again), lost (events "
            "that no receiver took in time).",
            ["outcome"],
        )
        for outcome in ("told", "refused", "lost"):
            self.notices.labels(outcome)
        self.events = Counter(
            "recado_events_total",
            "Events to other systems, by receiver and what became of them: delivered, refused (kept, and "
            "tried again), lost (a dead letter).",
            ["receiver", "outcome"],
        )
        self.retention_deleted = Counter(
            "recado_retention_deleted_total",
            "What was deleted because CONVERSATIONS_RETENTION_DAYS were over: conversations, messages, "
            "replies. A Redis server deletes by itself, and counts nothing.",
            ["what"],
        )
        for what in ("conversations", "messages", "replies"):
            self.retention_deleted.labels(what)
        self.worker_heartbeat = Gauge(
            "recado_worker_heartbeat_timestamp_seconds",
            "When a worker process last said that it is alive, in seconds since the epoch.",
            ["worker"],
            multiprocess_mode="livemax",
        )

    def begin_events(self, receivers: Iterable[str]) -> None:
        """Have the count of events begin at 0 for each receiver: its first one is seen as one more.

        Parameters:
          receivers: their places in EVENTS_URL. A URL may have a secret in it, and also in its host.
        """
        for receiver in receivers:
            for outcome in ("delivered", "refused", "lost"):
                self.events.labels(receiver, outcome)


@cache
def metrics() -> Metrics:
    """The metrics of this process, made when they are first needed.

    Not at import: where they keep their values is decided before (`ops.foundation.metrics.keep_metrics_in`).
    """
    return Metrics()

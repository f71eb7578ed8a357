"""Metrics of what the actors do. One place, so that no two parts count the same thing twice."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SECONDS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600)

AI_REQUESTS = Counter(
    "recado_ai_requests_total",
    "Answers asked of the responder, by how that ended: answered, unavailable, refused, failed.",
    ["provider", "outcome"],
)
AI_ERRORS = Counter("recado_ai_errors_total", "Answers the responder did not give.", ["provider", "error"])
AI_SECONDS = Histogram(
    "recado_ai_request_duration_seconds", "Time the responder took.", ["provider"], buckets=SECONDS
)
AI_TOKENS = Counter("recado_ai_tokens_total", "Tokens paid for: prompt, completion.", ["model", "kind"])

TWILIO_REQUESTS = Counter(
    "recado_twilio_requests_total",
    "Calls of Twilio's REST API, by how they ended: accepted, not_yet, never, unknown.",
    ["operation", "outcome"],
)
TWILIO_ERRORS = Counter(
    "recado_twilio_errors_total", "Errors of Twilio's, by its code or what kept it.", ["operation", "error"]
)
TWILIO_SECONDS = Histogram(
    "recado_twilio_request_duration_seconds",
    "Time a call of Twilio's REST API took.",
    ["operation"],
    buckets=SECONDS,
)

REPLIES = Counter(
    "recado_replies_total",
    "Replies by what became of their sending: sent, failed, unknown (being looked into), lost.",
    ["state"],
)
for _state in ("sent", "failed", "unknown", "lost"):
    REPLIES.labels(_state)  # there from the beginning, or the first of them would be no increase

REPLY_SECONDS = Histogram(
    "recado_webhook_to_reply_seconds",
    "Time from the oldest message a reply answers to the reply being sent: the number customers feel.",
    buckets=SECONDS,
)
DELIVERIES = Counter("recado_delivery_statuses_total", "What Twilio reported of deliveries.", ["status"])

WORKER_HEARTBEAT = Gauge(
    "recado_worker_heartbeat_timestamp_seconds",
    "When a worker process last said that it is alive, in seconds since the epoch.",
    ["worker"],
    multiprocess_mode="livemax",
)

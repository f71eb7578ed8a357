"""Metrics of what the actors do. One place, so that no two parts count the same thing twice."""

from __future__ import annotations

from prometheus_client import Counter, Histogram

SECONDS = (0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 20, 30, 60, 120, 300, 600)

AI_SECONDS = Histogram("recado_ai_request_seconds", "Time the responder took.", ["provider"], buckets=SECONDS)
AI_FAILURES = Counter(
    "recado_ai_failures_total", "Answers the responder did not give.", ["provider", "error"]
)
AI_TOKENS = Counter("recado_ai_tokens_total", "Tokens paid for.", ["model", "kind"])

TWILIO_SECONDS = Histogram("recado_send_seconds", "Time a sending took.", buckets=SECONDS)
REPLIES = Counter("recado_replies_total", "Replies by what became of their sending.", ["state"])
REPLY_SECONDS = Histogram(
    "recado_webhook_to_reply_seconds",
    "Time from the oldest message a reply answers to the reply being sent: the number customers feel.",
    buckets=SECONDS,
)
DELIVERIES = Counter("recado_delivery_statuses_total", "What Twilio reported of deliveries.", ["status"])

"""What the dashboard shows: customers first, then whatever stands between them and their reply.

Every machine tells the same of the queue, so of that the maximum over the machines is taken. What each has
counted for itself is added up.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from .panels import DATASOURCE, HALF, QUARTER, Query, bars, lines, number, spread, states

Panel = Builder[models.Panel]

#: What Grafana is given: `make grafana` writes it.
FILE = Path(__file__).with_name("recado.json")

#: What the page is narrowed down to.
_ON = 'instance=~"$instance"'
_OF = 'queue=~"$queue"'
_HERE = f"{_ON},{_OF}"

#: The objective of ops/prometheus/recado.rules.yml: all replies but this share leave within so many seconds.
_BUDGET, _WITHIN_S = 0.05, 30


def as_json() -> str:
    """The dashboard, as Grafana imports it."""
    return json.dumps(build(), cls=JSONEncoder, indent=1, sort_keys=True) + "\n"


def build() -> models.Dashboard:
    """The dashboard."""
    page = (
        dashboard.Dashboard("Recado")
        .uid("recado")
        .description("Twilio webhooks in, AI replies out. What to do about what is red: docs/operations.md.")
        .tags(["recado"])
        .timezone("browser")
        .time("now-3h", "now")
        .refresh("30s")
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .variables(_variables())
        .annotation(_alerts())
    )
    for title, panels in (
        ("Customers", _customers()),
        ("Queues", _queues()),
        ("Workers", _workers()),
        ("The model", _model()),
        ("Twilio", _twilio()),
        ("The engine", _engine()),
        ("The front door", _front_door()),
        ("Budget and other systems", _budget_and_others()),
    ):
        page.with_row(dashboard.Row(title))
        for panel in panels:
            page.with_panel(panel)
    built = page.build()
    for position, panel_or_row in enumerate(built.panels or (), start=1):
        panel_or_row.id_val = position
    return built


def _variables() -> list[Builder[models.VariableModel]]:
    return [
        dashboard.DatasourceVariable("datasource").label("Prometheus").type("prometheus"),
        _choice("queue", "Queue", "label_values(recado_queue_messages, queue)"),
        _choice("instance", "Machine", "label_values(recado_queue_up, instance)"),
    ]


def _choice(name: str, label: str, query: str) -> Builder[models.VariableModel]:
    return (
        dashboard.QueryVariable(name)
        .label(label)
        .datasource(DATASOURCE)
        .query(query)
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(models.VariableSort.ALPHABETICAL_ASC)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )


def _alerts() -> Builder[models.AnnotationQuery]:
    """Marks on every panel where an alert fired."""
    return (
        dashboard.AnnotationQuery()
        .name("Alerts")
        .datasource(DATASOURCE)
        .enable(True)
        .icon_color("red")
        .expr('ALERTS{alertname=~"Recado.*",alertstate="firing",severity!="info"}')
        .title_format("{{alertname}}")
        .tag_keys("severity,queue,instance")
        .step("60s")
    )


# -- what is asked in several places -------------------------------------------------------------------------


def _rate(metric: str, by: str, where: str) -> str:
    """How often a second, added up over machines."""
    return f"sum by ({by}) (rate({metric}{{{where}}}[$__rate_interval]))"


def _quantiles(metric: str, where: str) -> list[Query]:
    return [Query(_quantile(q, metric, "", where), f"p{q * 100:g}") for q in (0.5, 0.95, 0.99)]


def _quantile(q: float, metric: str, by: str, where: str) -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q:g}, {_rate(metric + '_bucket', labels, where)})"


def _new(metric: str, by: str, where: str) -> str:
    """What was counted since the bar before, the first of its kind included: `increase` would not see that.

    What was not there in the hour before is new, provided that anything was.
    """
    now, before = f"{metric}{{{where}}}", _before(f"{metric}{{{where}}}")
    return f"sum by ({by}) ({now} - ({before} <= {now} or {now} * 0)) and on () {_KNOWN}"


def _new_in_queue(metric: str, by: str, where: str) -> str:
    """The same of what every machine tells: whichever of them tells it."""
    now, before = f"max by ({by}) ({metric}{{{where}}})", f"max by ({by}) ({_before(f'{metric}{{{where}}}')})"
    return f"{now} - ({before} <= {now} or {now} * 0) and on () {_KNOWN}"


def _before(series: str) -> str:
    return f"last_over_time({series}[1h] offset $__interval)"


#: There when Prometheus knew Recado already at the bar before.
_KNOWN = f"group({_before('recado_queue_up')})"


def _late(window: str) -> str:
    """The share of replies that came too late, failed or were lost."""
    seconds, lost = "recado_webhook_to_reply_seconds", f'recado_replies_total{{{_ON},state=~"failed|lost"}}'
    in_time = f'sum(rate({seconds}_bucket{{{_ON},le="{_WITHIN_S:.1f}"}}[{window}]))'
    settled = f"sum(rate({seconds}_count{{{_ON}}}[{window}])) + (sum(rate({lost}[{window}])) or vector(0))"
    return f"1 - {in_time} / ({settled})"


# -- the rows ------------------------------------------------------------------------------------------------

_REPLY_S = "recado_webhook_to_reply_seconds"
_REPLY_BUCKET = f"{_REPLY_S}_bucket{{{_ON}}}"


def _customers() -> Iterable[Panel]:
    yield number(
        "Reply time, 95 %",
        "From a message to the sending of its reply: of the replies in the time shown, 95 % took no longer. "
        f"The objective is {_WITHIN_S} s.",
        f"histogram_quantile(0.95, sum by (le) (increase({_REPLY_BUCKET}[$__range])))",
        unit="s",
        decimals=1,
        limits={None: "green", 10: "orange", _WITHIN_S: "red"},
    )
    yield number(
        "Late or never",
        f"Replies of the time shown that took longer than {_WITHIN_S} s, failed or were lost. 5 % may be.",
        _late("$__range"),
        unit="percentunit",
        decimals=1,
        limits={None: "green", _BUDGET: "orange", 6 * _BUDGET: "red"},
    )
    yield number(
        "Replies sent",
        "In the time shown.",
        f"sum(increase({_REPLY_S}_count{{{_ON}}}[$__range]))",
        unit="short",
        limits={None: "blue"},
    )
    yield number(
        "Oldest message",
        "How long the longest waiting message has been due. After an hour it is not answered any more.",
        f"max(recado_queue_oldest_message_age_seconds{{{_HERE}}})",
        unit="s",
        decimals=1,
        limits={None: "green", 60: "orange", 300: "red"},
    )
    yield number(
        "Dead letters",
        "Messages that were set aside: a person has to decide about each. See `recado dead list`.",
        f'sum(max by (queue) (recado_queue_messages{{{_HERE},state="dead"}}))',
        unit="short",
        limits={None: "green", 1: "orange", 20: "red"},
    )
    yield number(
        "Workers",
        "Worker processes that live, and said so within the last 30 s.",
        f"count(time() - recado_worker_heartbeat_timestamp_seconds{{{_ON}}} < 30) or vector(0)",
        unit="short",
        limits={None: "red", 1: "green"},
    )
    yield lines(
        "From a message to its reply",
        "From the oldest message a reply answers to the sending of that reply: what customers feel. "
        f"The line is the objective: 95 % within {_WITHIN_S} s.",
        _quantiles(_REPLY_S, _ON),
        unit="s",
        width=HALF,
        limits={_WITHIN_S: "red"},
    )
    yield spread(
        "Reply times",
        "How many replies took how long.",
        f"sum by (le) (increase({_REPLY_BUCKET}[$__rate_interval]))",
        width=HALF,
    )
    yield bars(
        "Replies",
        "What became of their sending. Failed: refused for good. Unknown: perhaps sent, being looked into. "
        "Lost: not found at Twilio, and not sent again.",
        [Query(_new("recado_replies_total", "state", _ON), "{{state}}")],
        words=("sent", "unknown", "failed", "lost"),
    )
    yield lines(
        "Late replies",
        f"The share that took longer than {_WITHIN_S} s, failed or was lost. Over 72 % of an hour, somebody "
        "is woken; over 30 % of six hours, told.",
        [Query(_late(window), window) for window in ("5m", "1h", "6h")],
        unit="percentunit",
        limits={6 * _BUDGET: "orange", 14.4 * _BUDGET: "red"},
    )
    yield bars(
        "Deliveries",
        "What Twilio reported of the replies it accepted. One reply may have several reports.",
        [Query(_new("recado_delivery_statuses_total", "status", _ON), "{{status}}")],
        words=("sent", "delivered", "read", "failed", "undelivered"),
    )


def _queues() -> Iterable[Panel]:
    yield lines(
        "Messages",
        "What is in the queues, by state. Delayed are retries, and what waits for the rest of a burst.",
        [Query(f"max by (queue, state) (recado_queue_messages{{{_HERE}}})", "{{queue}} {{state}}")],
        unit="short",
        width=HALF,
    )
    yield lines(
        "Oldest message",
        "How long the longest waiting message of each queue has been due. Better than depth: it is time that "
        "customers wait. Tries included: of one that was tried before, how long ago it came in. The lines "
        "are where alerts begin.",
        [
            Query(f"max by (queue) (recado_queue_oldest_message_age_seconds{{{_HERE}}})", "{{queue}}"),
            Query(
                f"max by (queue) (recado_queue_longest_wait_seconds{{{_HERE}}})", "{{queue}}, tries included"
            ),
        ],
        unit="s",
        width=HALF,
        limits={60: "orange", 300: "red"},
    )
    yield lines(
        "Throughput",
        "Messages stored, and messages finished. Where fewer are finished, the oldest gets older.",
        [
            Query(_rate("recado_messages_enqueued_total", "queue", _HERE), "{{queue}} in"),
            Query(
                f"max by (queue) (rate(recado_queue_done_total{{{_HERE}}}[$__rate_interval]))",
                "{{queue}} done",
            ),
        ],
        unit="ops",
    )
    yield lines(
        "Wait, 95 %",
        "From when a message became due to when an actor began.",
        [Query(_quantile(0.95, "recado_message_wait_seconds", "queue", _HERE), "{{queue}}")],
        unit="s",
    )
    yield bars(
        "New dead letters",
        "Messages that were given up, by reason. docs/messages.md says what each means.",
        [
            Query(
                _new_in_queue("recado_queue_dead_letters_total", "queue, reason", _HERE),
                "{{queue}} {{reason}}",
            )
        ],
        words=("failed", "expired", "max_deliveries"),
    )


def _workers() -> Iterable[Panel]:
    yield lines(
        "In progress",
        "Messages that are being worked on. At the number of threads of all workers, others have to wait.",
        [Query(f"sum by (actor) (recado_messages_in_progress{{{_HERE}}})", "{{actor}}")],
        unit="short",
        width=QUARTER,
    )
    yield lines(
        "Duration, 95 %",
        "How long an actor worked on a message.",
        [Query(_quantile(0.95, "recado_message_duration_seconds", "actor", _HERE), "{{actor}}")],
        unit="s",
        width=QUARTER,
    )
    yield lines(
        "Outcomes",
        "How deliveries ended. Deferred: put back by the actor. Returned: what it led to was not stored.",
        [Query(_rate("recado_messages_total", "outcome", _HERE), "{{outcome}}")],
        unit="ops",
        width=QUARTER,
        words=("done", "retried", "deferred", "failed", "skipped"),
    )
    yield bars(
        "Retries and failures",
        "Deliveries that did not finish their message, by actor.",
        [
            Query(
                _new(
                    "recado_messages_total",
                    "actor, outcome",
                    f'{_HERE},outcome=~"retried|failed|skipped|returned"',
                ),
                "{{actor}} {{outcome}}",
            )
        ],
        width=QUARTER,
        words=("retried", "failed", "skipped"),
    )
    yield lines(
        "Silence",
        "How long ago each living worker process last said so; it does every five seconds.",
        [
            Query(
                f"time() - recado_worker_heartbeat_timestamp_seconds{{{_ON}}}",
                "{{instance}} worker {{worker}}",
            )
        ],
        unit="s",
        width=QUARTER,
        limits={30: "red"},
    )
    yield lines(
        "Processes",
        "What `recado up` runs, by state, and how many workers there are to be.",
        [
            Query(f"sum by (kind, state) (recado_supervisor_children{{{_ON}}})", "{{kind}} {{state}}"),
            Query(f"sum(recado_supervisor_workers_wanted{{{_ON}}})", "workers wanted"),
        ],
        unit="short",
        width=QUARTER,
    )
    yield bars(
        "Restarts",
        "Processes that `recado up` started in the place of others, by why those went.",
        [Query(_new("recado_supervisor_restarts_total", "kind, reason", _ON), "{{kind}} {{reason}}")],
        width=QUARTER,
    )
    yield lines(
        "Memory",
        "Resident memory of what `recado up` runs.",
        [Query(f"recado_supervisor_process_memory_bytes{{{_ON}}}", "{{instance}} {{process}}")],
        unit="bytes",
        width=QUARTER,
    )


def _model() -> Iterable[Panel]:
    yield lines(
        "Requests",
        "Answers asked of the responder. Unavailable ones are asked for again, refused ones are not.",
        [Query(_rate("recado_ai_requests_total", "outcome", _ON), "{{outcome}}")],
        unit="reqps",
        width=QUARTER,
        words=("answered", "unavailable", "refused", "failed"),
    )
    yield bars(
        "Errors",
        "Answers that were not given, by the error's class.",
        [Query(_new("recado_ai_errors_total", "provider, error", _ON), "{{provider}} {{error}}")],
        width=QUARTER,
    )
    yield lines(
        "Time to an answer",
        "How long the responder took, with those that failed.",
        _quantiles("recado_ai_request_duration_seconds", _ON),
        unit="s",
        width=QUARTER,
    )
    yield lines(
        "Tokens",
        "Tokens paid for, a second.",
        [Query(_rate("recado_ai_tokens_total", "model, kind", _ON), "{{model}} {{kind}}")],
        unit="short",
        width=QUARTER,
    )


def _twilio() -> Iterable[Panel]:
    yield lines(
        "Calls",
        "Calls of the REST API. Not yet: tried again. Never: refused for good. Unknown: perhaps accepted.",
        [
            Query(
                _rate("recado_twilio_requests_total", "operation, outcome", _ON), "{{operation}} {{outcome}}"
            )
        ],
        unit="reqps",
        words=("accepted", "not_yet", "never", "unknown"),
    )
    yield bars(
        "Errors",
        "By Twilio's code (https://www.twilio.com/docs/api/errors), or by what kept an answer from coming.",
        [Query(_new("recado_twilio_errors_total", "operation, error", _ON), "{{operation}} {{error}}")],
    )
    yield lines(
        "Time of a call",
        "How long Twilio took.",
        _quantiles("recado_twilio_request_duration_seconds", _ON),
        unit="s",
    )


def _engine() -> Iterable[Panel]:
    yield states(
        "The queue answers",
        "Whether each machine reaches the queue's engine.",
        Query(f"recado_queue_up{{{_ON}}}", "{{instance}}"),
        names={1: ("yes", "green"), 0: ("no", "red")},
        width=QUARTER,
    )
    yield states(
        "The conversations work",
        "Whether each machine can write and read the conversations.",
        Query(f"recado_conversations_up{{{_ON}}}", "{{instance}}"),
        names={1: ("yes", "green"), 0: ("no", "red")},
        width=QUARTER,
    )
    yield lines(
        "Spool",
        "Webhooks that wait on a machine for Redis to be back, and how long the oldest has waited.",
        [
            Query(f"recado_spool_messages{{{_ON}}}", "{{instance}} messages"),
            Query(f"recado_spool_oldest_message_age_seconds{{{_ON}}}", "{{instance}} seconds"),
        ],
        unit="short",
        width=HALF,
    )
    yield lines(
        "Write-ahead log",
        "SQLite's, beside each database. It is kept at 20 MB.",
        [Query(f"recado_sqlite_wal_bytes{{{_ON}}}", "{{instance}} {{database}}")],
        unit="bytes",
        width=HALF,
        limits={64e6: "orange"},
    )
    yield lines(
        "Database",
        "Size of each of SQLite's files.",
        [Query(f"recado_sqlite_database_bytes{{{_ON}}}", "{{instance}} {{database}}")],
        unit="bytes",
        width=HALF,
    )


def _front_door() -> Iterable[Panel]:
    yield lines(
        "Webhooks",
        "What Twilio sent: messages, and reports of deliveries.",
        [Query(_rate("recado_webhooks_total", "webhook, outcome", _ON), "{{webhook}} {{outcome}}")],
        unit="reqps",
    )
    yield lines(
        "Time to the 200",
        "Until a webhook had its answer. Twilio waits for 15 s, or for what the webhook's URL says.",
        _quantiles("recado_webhook_duration_seconds", _ON),
        unit="s",
    )
    yield bars(
        "Refused",
        "Bad signature: forged, or a token or address that is not what Twilio uses. Unavailable: not stored.",
        [
            Query(
                _new("recado_webhooks_total", "webhook, outcome", f'{_ON},outcome!="accepted"'),
                "{{webhook}} {{outcome}}",
            )
        ],
        words=("bad_signature", "unavailable"),
    )


def _budget_and_others() -> Iterable[Panel]:
    yield lines(
        "The day's budget",
        "How much of it is used (UTC), where there is one. At the upper line no model is asked any more, and "
        "contacts who write wait for a person.",
        [Query(f"max(recado_budget_used_ratio{{{_ON}}})", "used")],
        unit="percentunit",
        width=HALF,
        limits={0.8: "orange", 1: "red"},
    )
    yield bars(
        "Events to other systems",
        "By the receiver's place in EVENTS_URL. Refused: kept, and tried again. Lost: a dead letter.",
        [Query(_new("recado_events_total", "receiver, outcome", _ON), "{{receiver}} {{outcome}}")],
        width=HALF,
        words=("delivered", "refused", "lost"),
    )

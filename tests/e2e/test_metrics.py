"""One page shows what all processes of the machine have counted, and the document explains all of it."""

from __future__ import annotations

import httpx
from llmock.pytest_plugin import LLMock

from tests.fakes.endpoint import SECRET
from tests.support import plain_http
from tests.support.metrics import documented, shown
from tests.support.ports import free_port
from tests.support.waiting import eventually

from .conftest import MakeSystem, Settings

#: There only under `recado up`, or with one of the engines.
ELSEWHERE = ("recado_supervisor_", "recado_spool_", "recado_sqlite_")

#: Events of which none happens, so that what is counted of them begins at 0.
EVENTS = {"EVENTS_URL": "http://127.0.0.1:9/", "EVENTS_SECRET": SECRET, "EVENTS": "conversation.opted_in"}


def test_what_is_shown_is_documented_and_what_is_documented_is_shown(
    make_system: MakeSystem, model_settings: Settings, llmock: LLMock
) -> None:
    system = make_system(**model_settings, MESSAGE_MAX_RETRIES="1", BUDGET_TOKENS_PER_DAY="1000000", **EVENTS)
    system.api()
    system.worker()
    llmock.reply("Olá!")
    system.write("Oi", sender=system.contact())
    system.settle()
    [message] = system.twilio.messages
    system.twilio.report(message, "delivered", through=system.url)
    system.twilio.refuse(400, 21211)
    system.write("Oi?", sender=system.contact())
    system.settle()
    llmock.fail(500, times=9)
    system.write("E agora?", sender=system.contact())
    system.settle()

    page, table = shown(system.url), documented()

    engine = system.settings.get("QUEUE_BACKEND", "sqlite")
    its_own = {"sqlite": "recado_sqlite_", "redis": "recado_spool_"}[engine]
    expected = {name for name in table if not name.startswith(ELSEWHERE) or name.startswith(its_own)}
    assert page == {name: table[name] for name in expected}

    def counted() -> dict[str, float]:
        """Some of it is counted after the message is acknowledged that it is about."""
        metric = system.metric
        return {
            "dead": metric("recado_queue_dead_letters_total", queue="messages", reason="failed"),
            "sent": metric("recado_replies_total", state="sent"),
            "failed": metric("recado_replies_total", state="failed"),
            "refused": metric("recado_twilio_errors_total", operation="send", error="21211"),
            "answered": metric("recado_ai_requests_total", provider="openai", outcome="answered"),
            "running": metric("recado_messages_in_progress", queue="messages", actor="process_ai_response"),
            "replied": metric("recado_webhook_to_reply_seconds_count"),
        }

    once = dict.fromkeys(("dead", "sent", "failed", "refused", "replied"), 1.0)
    eventually(lambda: counted() == once | {"answered": 2.0, "running": 0.0})


def test_workers_show_them_where_no_api_runs_and_take_over_from_each_other(make_system: MakeSystem) -> None:
    port = free_port()
    system = make_system(METRICS_PORT=str(port))
    url = f"http://127.0.0.1:{port}"
    first = system.worker()
    eventually(lambda: shows(url))
    second = system.dramatiq("actors", "-p", "2", "-t", "1")
    eventually(lambda: page(url).count("recado_worker_heartbeat_timestamp_seconds{") == 3)

    first.kill()

    eventually(lambda: shows(url) and page(url).count("recado_worker_heartbeat_timestamp_seconds{") == 2)
    assert "recado_queue_up 1.0" in page(url)
    assert second.terminate() == 0
    assert not shows(url)


def shows(url: str) -> bool:
    try:
        return plain_http.get(url + "/metrics").status_code == 200
    except httpx.TransportError:
        return False


def page(url: str) -> str:
    return plain_http.get(url + "/metrics").text

"""Twilio's webhooks. Each becomes one message in the queue, on disk before the answer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import structlog
from dramatiq import Message
from dramatiq.errors import BrokerError
from fastapi import APIRouter, Request, Response
from prometheus_client import Counter, Histogram

from actors import record_delivery_status
from actors.channels import InvalidMessage
from actors.channels.twilio import inbound
from actors.channels.twilio.delivery import is_status_callback
from actors.channels.twilio.inbound import text_of
from actors.context import bind_contact
from actors.keys import with_message_id
from actors.replies import inbound_message as queue_message
from actors.spans import note
from brokers.durable import DurableBroker
from brokers.errors import MessageTooLarge

from .bodies import BodyTooLarge, BrokenBody, ClientGone, parse, read_body, to_payload
from .opening import Opening
from .parameters import Malformed, check_parameters
from .refusals import Refusals
from .signature import SignatureCheck

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class WebhookMetrics:
    """What webhooks are counted in."""

    webhooks: Counter
    seconds: Histogram


@cache
def metrics() -> WebhookMetrics:
    """The webhooks' metrics of this process, made when its first application is."""
    return WebhookMetrics(
        Counter("recado_webhooks_total", "Webhooks by what became of them.", ["webhook", "outcome"]),
        Histogram(
            "recado_webhook_duration_seconds",
            "Time until a webhook had its answer.",
            ["webhook"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        ),
    )


def announcement(text: str, language: str) -> str:
    """Make the TwiML that reads a text to a caller, and hangs up."""
    return f"<Response><Say language={quoteattr(language)}>{escape(text)}</Say></Response>"


#: No instructions: the reply goes out through the REST API.
EMPTY_TWIML = "<Response/>"


def no_instructions(address: str) -> str:  # noqa: ARG001  whatever was called
    """Answer a call or a message with no instructions."""
    return EMPTY_TWIML


#: The webhooks there are, and the methods that a wrong one may come with.
WEBHOOKS = ("messages", "status", "voice")
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]

#: Makes a queue message of a webhook's parameters.
ToMessage = Callable[[dict[str, Any]], Message[Any]]


class Refused(Exception):
    """A webhook that is not taken in.

    Parameters:
      status: the HTTP status to answer with.
      outcome: what the metrics call it.
      explanation: what is wrong, and what to do about it.
    """

    def __init__(self, status: int, outcome: str, explanation: str) -> None:
        super().__init__(explanation)
        self.status = status
        self.outcome = outcome


class NoMessage(Exception):
    """A webhook that is rightly Twilio's, and brings no message of a customer.

    Parameters:
      outcome: what the metrics call it.
      explanation: what it is, and what to change so that it comes no more.
    """

    def __init__(self, outcome: str, explanation: str) -> None:
        super().__init__(explanation)
        self.outcome = outcome


def webhook_routes(
    broker: DurableBroker,
    signatures: SignatureCheck | None,
    opening: Opening,
    *,
    spoken: Callable[[str], str] = no_instructions,
    refusals: Refusals | None = None,
) -> APIRouter:
    """The routes Twilio calls.

    Parameters:
      broker: where messages go.
      signatures: checks who is calling; None lets everybody in.
      opening: knows whether the queue is open.
      spoken: returns what a caller hears, as TwiML, for the address that was called.
      refusals: counts webhooks that are refused, where people are told of that.
    """
    router, counted = APIRouter(prefix="/webhooks/twilio"), metrics()
    explained: set[str] = set()

    @router.post("/messages")
    async def messages(request: Request) -> Response:
        return await _answer(request, "messages", inbound_message)

    @router.post("/status")
    async def status(request: Request) -> Response:
        return await _answer(
            request, "status", partial(delivery_status, request.query_params.get("reply", ""))
        )

    @router.post("/voice")
    async def voice(request: Request) -> Response:
        return await _answer(request, "voice", inbound_call, twiml=spoken)

    async def _answer(
        request: Request,
        webhook: str,
        to_message: ToMessage,
        *,
        twiml: Callable[[str], str] = no_instructions,
    ) -> Response:
        began = time.perf_counter()
        try:
            payload = await _read(request, signatures)
            message = to_message(payload)
            if opening.trouble is not None:  # to find that out once more could take long
                raise Refused(503, "unavailable", f"The message could not be stored: {opening.trouble}")
            await _store(broker, message)
            outcome, response = "accepted", Response(twiml(text_of(payload, "To")), media_type="text/xml")
        except Refused as refusal:
            outcome, response = (
                refusal.outcome,
                Response(f"{refusal}\n", refusal.status, media_type="text/plain"),
            )
            logger.warning("webhook refused", webhook=webhook, outcome=outcome, why=str(refusal))
        except NoMessage as no_message:
            outcome, response = no_message.outcome, Response(EMPTY_TWIML, media_type="text/xml")
            if outcome not in explained:  # once: it comes with each message
                explained.add(outcome)
                logger.warning("webhook ignored", webhook=webhook, outcome=outcome, why=str(no_message))
        note({"recado.webhook.outcome": outcome})
        counted.webhooks.labels(webhook, outcome).inc()
        if refusals is not None:
            refusals.count(outcome)
        counted.seconds.labels(webhook).observe(time.perf_counter() - began)
        return response

    @router.api_route("/{rest:path}", methods=METHODS, include_in_schema=False)
    async def near_miss(rest: str, request: Request) -> Response:
        """Answer an address that is almost one of ours. A redirect would lose the parameters."""
        known = ", ".join(f"POST {router.prefix}/{each}" for each in WEBHOOKS)
        why = f"{request.method} {router.prefix}/{rest} is no webhook of Recado's. There are: {known}."
        status = 405 if rest in WEBHOOKS else 404
        counted.webhooks.labels("other", "wrong_address").inc()
        logger.warning("webhook refused", webhook="other", outcome="wrong_address", why=why[:300])
        return Response(f"{why}\n", status, media_type="text/plain")

    return router


def inbound_message(payload: dict[str, Any]) -> Message[Any]:
    """Make the queue message for an inbound Twilio message."""
    if is_status_callback(payload):
        raise NoMessage(
            "status_callback",
            "This is a status callback, and no message of a customer. In Twilio's console, the status "
            "callback URL of the number or the Messaging Service has to end in /webhooks/twilio/status, or "
            "be empty: Recado gives its own with each reply",
        )
    if text_of(payload, "CallSid") and not text_of(payload, "MessageSid"):
        raise Refused(400, "incomplete", "This is a call. Calls go to /webhooks/twilio/voice.")
    return _queued(payload)


def _queued(payload: dict[str, Any]) -> Message[Any]:
    try:
        message = inbound.read(payload)
    except InvalidMessage as error:
        raise Refused(400, "incomplete", f"{error}.") from error
    bind_contact(message.contact.address, message_id=message.message_id, message_sid=message.external_id)
    logger.info("message received")
    return with_message_id(queue_message(payload, message.channel), message.message_id)


def inbound_call(payload: dict[str, Any]) -> Message[Any]:
    """Make the queue message for a call that comes in: it is recorded with what the contact wrote."""
    if text_of(payload, "CallStatus") not in inbound.INBOUND_CALL_STATUSES:
        raise NoMessage(
            "status_callback", "This tells how a call went on. The call itself is recorded already"
        )
    if text_of(payload, "MessageSid"):
        raise Refused(400, "incomplete", "This is a message. Messages go to /webhooks/twilio/messages.")
    return _queued(payload)


def delivery_status(reply_id: str, payload: dict[str, Any]) -> Message[Any]:
    """Make the queue message for a status callback. It names our reply in its URL."""
    missing = [name for name in ("MessageSid", "MessageStatus") if not text_of(payload, name)]
    if not reply_id:
        missing.append("the reply's id in the URL (?reply=...)")
    if missing:
        raise Refused(400, "incomplete", f"The status callback lacks {', '.join(missing)}.")
    return record_delivery_status.message(payload, reply_id)


async def _read(request: Request, signatures: SignatureCheck | None) -> dict[str, Any]:
    try:
        content = parse(await read_body(request), request.headers.get("content-type", ""))
        if signatures is not None and not signatures.is_valid(
            path=request.scope["raw_path"].decode("latin-1"),
            query=request.scope["query_string"].decode("latin-1"),
            headers=request.headers,
            content=content,
        ):
            raise Refused(
                403,
                "bad_signature",
                "The signature does not match. Check TWILIO_AUTH_TOKEN, and that PUBLIC_BASE_URL is the "
                "address Twilio was given.",
            )
        payload = to_payload(content)
        check_parameters(payload)
    except BodyTooLarge as error:
        raise Refused(413, "too_large", "The body is larger than any webhook of Twilio's.") from error
    except ClientGone as error:
        raise Refused(400, "disconnected", "The connection was closed in the middle of the body.") from error
    except BrokenBody as error:
        raise Refused(400, "broken", f"The body cannot be read: {error}.") from error
    except Malformed as error:
        raise Refused(400, "malformed", f"{error}. Twilio sends no such webhook.") from error
    return payload


async def _store(broker: DurableBroker, message: Message[Any]) -> None:
    try:
        await broker.enqueue_async(message)
    except MessageTooLarge as error:
        raise Refused(413, "too_large", str(error)) from error
    except BrokerError as error:
        raise Refused(503, "unavailable", f"The message could not be stored: {error}") from error

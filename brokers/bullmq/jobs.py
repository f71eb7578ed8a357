"""How a message is written in a job, and what a job says that another program added."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, NoReturn

from dramatiq import Message
from dramatiq.errors import DecodeError

from ..replays import reset_for_replay
from .job_ids import message_id_of

#: How `data` holds a message: to the letter, because the message is JSON; or wrapped, because it is not.
Form = Literal["json", "base64"]

#: A message that is whole, as any program with Dramatiq's JSON encoder writes it.
_WHOLE = {
    "queue_name": str,
    "actor_name": str,
    "args": list,
    "kwargs": dict,
    "options": dict,
    "message_id": str,
    "message_timestamp": int,
}

#: What another program may give of a message; the rest is known from its job.
_PARTS = {"args": list, "kwargs": dict, "options": dict}


class Written(NamedTuple):
    """A message as a job's `data`."""

    data: bytes
    form: Form


def write(payload: bytes) -> Written:
    """Write a message so that a program in any language can read the job."""
    try:
        json.loads(payload, parse_constant=_refuse)
    except ValueError:  # of another encoder of Dramatiq's, or NaN, which is no JSON
        return Written(json.dumps({"payload": b64encode(payload).decode()}).encode(), "base64")
    return Written(payload, "json")


def read(data: bytes, form: bytes | None, *, job: Job, replayed_at: int | None = None) -> bytes:
    """Return the message that a job holds, or makes.

    Data that is no JSON is returned as it is: it is no message, and decoding it fails with a reason.

    Parameters:
      data: the job's.
      form: what the engine noted of it; None for a job that another program added.
      job: what else is known of it.
      replayed_at: when one of BullMQ's tools put the job back that was a dead letter, in milliseconds; None
        where none did. Its message has a fresh record then.
    """
    payload = _payload(data, form, job)
    if replayed_at is None:
        return payload
    try:
        return reset_for_replay(payload, at_ms=replayed_at)
    except DecodeError:
        return payload


def _payload(data: bytes, form: bytes | None, job: Job) -> bytes:
    if form == b"json":
        return data
    try:
        said = json.loads(data)
        return b64decode(said["payload"], validate=True) if form else _made(said, job)
    except (ValueError, KeyError, TypeError):
        return data


class Job(NamedTuple):
    """What is known of a job beside its data."""

    job_id: str
    name: str
    queue: str
    timestamp: int


def _made(said: Any, job: Job) -> bytes:
    """Make a message of what another program said: all of it, its arguments, or one argument.

    The engine knows the message by its job's id and queue, and so does everything that looks it up.
    """
    message: Message[Any] = Message(
        queue_name=job.queue,
        actor_name=job.name,
        args=(said,),
        kwargs={},
        options={},
        message_id=message_id_of(job.job_id, job.queue),
        message_timestamp=job.timestamp,
    )
    if not isinstance(said, dict):
        return message.encode()
    if said.keys() == {"payload"}:
        message = message.copy(args=(said["payload"],))
    elif said.keys() == _WHOLE.keys() and _are(said, _WHOLE):
        message = message.copy(actor_name=said["actor_name"], **_parts(said))
    elif said.keys() <= _PARTS.keys() and _are(said, _PARTS):
        message = message.copy(**_parts(said))
    return message.encode()


def _are(said: Mapping[str, Any], kinds: Mapping[str, type]) -> bool:
    return all(isinstance(said[name], kind) for name, kind in kinds.items() if name in said)


def _parts(said: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "args": tuple(said.get("args", ())),
        "kwargs": said.get("kwargs", {}),
        "options": said.get("options", {}),
    }


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def stack(error: str | None) -> str:
    """Write what went wrong as BullMQ keeps it: a list of texts, the newest last. Empty for none."""
    return "" if error is None else json.dumps([error])


def last_error(stack: bytes, failed_reason: bytes) -> str | None:
    """Read what went wrong last, of whatever program wrote it."""
    try:
        errors = json.loads(stack) if stack else []
    except ValueError:
        errors = [stack.decode(errors="replace")]
    if isinstance(errors, list) and errors and isinstance(errors[-1], str):
        return str(errors[-1])
    return failed_reason.decode(errors="replace") if failed_reason else None

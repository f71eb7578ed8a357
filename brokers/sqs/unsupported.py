"""What SQS does not do, and what there is in its place."""

from __future__ import annotations

from typing import Any, NoReturn

from ..errors import Unsupported

#: What operators have at SQS where Recado has `recado dead`.
REDRIVE = (
    "SQS keeps dead letters in queues of their own, whose names end with _dlq. Look at them, redrive them or "
    "purge them there: with its console, or `aws sqs start-message-move-task`. docs/sqs.md shows how."
)


def unsupported(why: str) -> NoReturn:
    raise Unsupported(why)


class WithoutLookups:
    """The verbs of a `QueueBackend` that find, move or pause messages: SQS has none of them."""

    def get(self, message_id: str) -> NoReturn:  # noqa: ARG002
        unsupported("SQS can look no message up: receive it, or see its console.")

    def list(self, *_: Any, **__: Any) -> NoReturn:
        unsupported("SQS shows no messages without receiving them: `recado queues` counts them.")

    def dead_letters(self, *_: Any, **__: Any) -> NoReturn:
        unsupported(REDRIVE)

    def count_dead_letters(self, *_: Any, **__: Any) -> NoReturn:
        unsupported(REDRIVE)

    def replay(self, *_: Any, **__: Any) -> NoReturn:
        unsupported(REDRIVE)

    def discard(self, *_: Any, **__: Any) -> NoReturn:
        unsupported(REDRIVE)

    def adopt(self, *_: Any) -> NoReturn:
        unsupported(
            "Messages of another engine cannot be moved to SQS: let the workers of that engine finish them."
        )

    def remove(self, *_: Any) -> NoReturn:
        unsupported("Messages cannot be moved from SQS: let its workers finish them.")

    def pause(self, *_: Any) -> NoReturn:
        unsupported("SQS pauses no queue. Stop the workers: messages go on being accepted, and wait.")

    def resume(self, *_: Any) -> NoReturn:
        unsupported("SQS pauses no queue, so there is nothing to resume.")

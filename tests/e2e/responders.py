"""Responders of our own, named in AI_PROVIDER: each does one thing no model can be made to do in time."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from recado import Answer, Conversation, Responder, Settings, Usage

#: What the lethal responder looks at in the working directory: run N was asked, and may die.
ASKED, MAY_DIE = "asked-{}", "may-die-{}"


class Lethal:
    """Kills its process, as often as LETHAL_RUNS says and not before the test says so; then it answers."""

    def respond(self, conversation: Conversation) -> Answer:
        run = 1 + len(list(Path().glob(ASKED.format("*"))))
        if run > int(os.environ["LETHAL_RUNS"]):
            return Answer("\n".join(each.text for each in conversation.unanswered), Usage("lethal"))
        Path(ASKED.format(run)).touch()
        while not Path(MAY_DIE.format(run)).exists():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError("not reached")


def lethal(_settings: Settings) -> Responder:
    return Lethal()

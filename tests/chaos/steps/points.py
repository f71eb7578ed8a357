"""The moments at which a process may die: at each numbered step of docs/messages.md, and some between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple

#: What happens to the process. killed: SIGKILL. stopped: SIGSTOP, and SIGCONT a while later. fails: the call
#: that was just made, or was to be made, raises an error.
How = Literal["killed", "stopped", "fails"]
HOWS: tuple[How, ...] = ("killed", "stopped", "fails")

#: What there is for a contact to write, so that a message comes past the point.
Scene = Literal["text", "burst", "voice note", "long answer", "sms", "lost answer", "refused", "callback"]

#: What is said of a message for which the model was asked a second time.
ASKED_AGAIN = "answered once; the model is asked again"


class Point(NamedTuple):
    """A moment.

    Attributes:
      step: as docs/messages.md calls it.
      what: what has just happened then, for people.
      killed: what comes of it when the process is killed then, on every engine.
      scene: what a contact writes to bring it about.
      can_fail: whether an error is possible there.
    """

    step: str
    what: str
    killed: str = "answered once"
    scene: Scene = "text"
    can_fail: bool = True

    def outcome(self, how: How) -> str:
        """Return what comes of it. What is only stopped, or fails and is tried again, changes nothing."""
        if how == "killed":
            return self.killed
        return "told" if self.scene == "refused" else "answered once"


#: Every point, by the name that the hooks know it by.
POINTS: Mapping[str, Point] = {
    "storing": Point("message 1", "the API has read the webhook, and stored nothing"),
    "stored": Point("message 1", "the message is stored, and Twilio has no 200 yet"),
    "claimed": Point("message 2", "a worker has claimed the message", can_fail=False),
    "appended": Point("message 2", "the message is appended, and holds its conversation"),
    "left": Point("message 3", "the message leaves its answer to the holder", scene="burst"),
    "putting back": Point("message 4", "the message is to wait for the rest of a burst"),
    "put back": Point("message 4", "the message is back in the queue"),
    "described": Point("message 5", "what a voice note says is stored", scene="voice note"),
    "asked": Point("message 6", "the responder has answered", ASKED_AGAIN),
    "written": Point("message 7", "the reply is written"),
    "enqueued": Point("message 8", "the sending is enqueued"),
    "acking": Point("message 8", "all is done, and the message is not acknowledged"),
    "paced": Point("reply 0", "the sender's turn is taken", scene="sms"),
    "reply claimed": Point("reply 1", "a worker has claimed the sending", can_fail=False),
    "sending": Point("reply 1", "the reply is `sending`, and no call was made", "told"),
    "called": Point("reply 2", "Twilio has accepted the reply"),
    "unknown": Point("reply 3", "Twilio's answer was lost: the reply is `unknown`", scene="lost answer"),
    "looking": Point("reply 3", "`reconcile_reply` is enqueued", scene="lost answer"),
    "found": Point("reply 3", "the reply was found at Twilio", scene="lost answer"),
    "recorded": Point("reply 3", "the reply is `sent`"),
    "next": Point("reply 4", "the sending of the next reply is enqueued", scene="long answer"),
    "reply acking": Point("reply 4", "all is done, and the sending is not acknowledged"),
    "delivered": Point("callback", "the delivery is recorded", scene="callback"),
    "refused": Point(
        "dead letter", "the model refused, and the message is no dead letter yet", "told", "refused"
    ),
    "dead": Point("dead letter", "the message is a dead letter", "told", "refused"),
    "quarantined": Point("dead letter", "`apologise` has put the message in quarantine", "told", "refused"),
}

"""What is found after the power is back, and what becomes of it."""

from __future__ import annotations

import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from api.webhooks import inbound_message
from tests.fakes.twilio import FakeTwilio
from tests.support.power import Moment

from .installation import ACCOUNT, TOKEN, Installation, settle_in

#: Where the files of a cut are, for as long as it is looked at: in memory, where there is such a place.
PLACE = "/dev/shm" if Path("/dev/shm").is_dir() else None

#: The databases.
DATABASES = ("queue.db", "conversations.db", "spool.db", "audit.db")


class Finding(NamedTuple):
    """What came of some cuts.

    Attributes:
      cuts: how many.
      promised: messages that had their 200 before the cut.
      answered: messages that were answered, by the same number of replies in which they stand.
      told: messages that people were told of in the place of an answer.
      wrong: what must not be.
    """

    cuts: int
    promised: int
    answered: int
    told: int
    wrong: tuple[str, ...]

    def __add__(self, other: Any) -> Finding:
        return Finding(*(mine + its for mine, its in zip(self, other, strict=True)))


NOTHING = Finding(0, 0, 0, 0, ())


def recover(channel: Connection) -> None:
    """Cut the power of lives when it is asked for, in a process of its own; send what was found."""
    with FakeTwilio() as twilio:
        base = settle_in(twilio.url)
        while (asked := channel.recv()) is not None:
            events, seed, cuts = asked
            finding, moment = NOTHING, Moment()
            dice = random.Random(seed)  # noqa: S311  no secret
            for number in cuts:
                while moment.passed < number:
                    moment.pass_by(events[moment.passed])
                finding += _cut_and_recover(moment, dice, twilio, base)
            channel.send(finding)


def _cut_and_recover(moment: Moment, dice: random.Random, twilio: FakeTwilio, base: Any) -> Finding:
    directory = Path(tempfile.mkdtemp(prefix="recado-power-", dir=PLACE))
    try:
        moment.cut_power(directory / "left", dice)
        before = [*_broken(directory / "left")]
        aftermath = Aftermath(directory / "left", moment.marks, dice, twilio, base)
        finding = aftermath.look()
        wrong = [*before, *finding.wrong, *_broken(directory / "left")]
        return finding._replace(wrong=tuple(f"cut at event {moment.passed}: {each}" for each in wrong))
    finally:
        shutil.rmtree(directory)


def _broken(directory: Path) -> list[str]:
    """What integrity_check has to say against each database."""
    said = []
    for name in DATABASES:
        if not (directory / name).exists():
            continue
        with closing(apsw.Connection(str(directory / name))) as connection:
            connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)  # the log stays as it is
            try:
                answer = connection.pragma("integrity_check")
            except apsw.Error as error:
                answer = repr(error)
        if answer != "ok":
            said.append(f"{name}: {answer}")
    return said


class Aftermath:
    """An installation after a cut.

    Parameters:
      directory: what is left.
      marks: what had happened.
      dice: decide which webhooks Twilio repeats that it need not.
      twilio: it remembers what it accepted before.
      base: what `settle_in` returned.
    """

    def __init__(
        self, directory: Path, marks: Sequence[Any], dice: random.Random, twilio: FakeTwilio, base: Any
    ) -> None:
        self._marks = marks
        self._dice = dice
        self._account = twilio.account(ACCOUNT)
        self._account.auth_token = TOKEN
        self._account.messages.extend(replace(each) for each in self._noted("accepted"))
        self._wrong: list[str] = []
        self._installation = Installation(directory, base)

    def look(self) -> Finding:
        """Find what is there, have all of it worked off, and see what became of it."""
        installation = self._installation
        asked, promised = self._noted("asked"), self._noted("promised")
        try:
            self._look_for_what_was_promised()
            installation.spooled.start(timeout_s=30)
            for parameters in asked:  # Twilio repeats what had no 200, and some of what had
                if parameters not in promised or self._dice.random() < 0.2:
                    installation.api.enqueue(inbound_message(dict(parameters)))
            installation.work_off()
            self._look_for_deliveries()
            return self._judge(asked, promised)
        finally:
            installation.close()

    def _judge(self, asked: Sequence[Mapping[str, str]], promised: Sequence[Any]) -> Finding:
        tokens = {each["Body"] for each in asked}
        bodies = [message.body for message in self._account.messages]
        counts = Counter(token for body in bodies for token in tokens if token in body)
        for token, times in counts.items():
            self._find(times == 1, f"{token} is answered {times} times")
        unanswered, told = tokens - counts.keys(), self._installation.told()
        for token in unanswered:
            self._find(token in told, f"{token} is not answered, and nobody is told")
        if self._wrong:
            self._wrong.append(f"what was said: {bodies} {self._installation.story()}")
        return Finding(1, len(promised), len(counts), len(unanswered), tuple(self._wrong))

    def _look_for_what_was_promised(self) -> None:
        installation = self._installation
        for parameters in self._noted("promised"):
            self._find(installation.has(parameters), f"{parameters['Body']} is gone")
        for entry in self._noted("audited"):
            self._find(installation.audit.get(entry) is not None, f"audit entry {entry} is gone")
        for session in self._noted("signed out"):
            self._find(session in installation.sign_outs, f"{session} goes on")

    def _look_for_deliveries(self) -> None:
        for reply_id in self._noted("reported"):
            reply = self._installation.conversations.reply(reply_id)
            is_known = reply is not None and reply.delivery_status == "delivered"
            self._find(is_known, f"the delivery of {reply_id} is not known")

    def _find(self, is_right: bool, what: str) -> None:
        if not is_right:
            self._wrong.append(what)

    def _noted(self, what: str) -> list[Any]:
        return [value for kind, value in self._marks if kind == what]

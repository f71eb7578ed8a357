"""How long it took until a message that a death interrupted ran again: seen from the model alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from ..ledger import Ledger
from ..model import Ask

#: A judge that is busy may read a request so long after the death of the program that sent it, in seconds.
READ_LATE_S = 2.0


def pauses(ledger: Ledger, asks: Sequence[Ask], deaths: Iterable[float]) -> list[float]:
    """The seconds from a death until the message it interrupted ran again; infinite where it never did.

    A message was interrupted when the model was being asked about it, the program that asked was gone before
    its answer, and the message had had its 200 by then. It runs again when the model is asked anew.

    Parameters:
      ledger: tells which message had its 200, and when.
      asks: what the model was asked, in order.
      deaths: when processes were killed, in seconds of the monotonic clock.
    """
    deaths = sorted(deaths)
    taken_at = {each.token: each.taken_at for each in ledger.inbound}
    found: list[float] = []
    for number, ask in enumerate(asks):
        for token in ask.tokens if ask.cut_off_at is not None else ():
            later = (each.at for each in asks[number + 1 :] if token in each.tokens)
            again = next(later, math.inf)
            until = min(again, ask.cut_off_at or math.inf)
            death = max((at for at in deaths if ask.at - READ_LATE_S <= at <= until), default=None)
            if death is not None and taken_at.get(token, math.inf) <= death:
                found.append(again - death)
    return found

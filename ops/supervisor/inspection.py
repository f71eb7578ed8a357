"""The round that is made every second: is each child well, and has it served long enough."""

from __future__ import annotations

from .cause import Cause
from .child import Child, Slot
from .crew import Crew
from .health import Diagnosis, Patience, cannot_finish, is_impaired, is_silent
from .replacements import Replacements


class Inspection:
    """Looks at every child, and has done what its state asks for.

    Parameters:
      crew: the children.
      replacements: replaces those that are worn or impaired.
      patience: how long a child may say nothing.
    """

    def __init__(self, crew: Crew, replacements: Replacements, *, patience: Patience) -> None:
        self._crew = crew
        self._replacements = replacements
        self._patience = patience

    def round(self) -> None:
        """Look at all of them."""
        for slot in list(self._crew.slots):
            child = slot.child
            if child is None or child.kill_cause is not None:
                continue
            child.rss_bytes = self._crew.hands.rss_bytes(child.pid)
            child.wear.sample(child.rss_bytes)
            diagnosis = self._diagnose(slot, child)
            if diagnosis is None:
                continue
            if diagnosis.cure == "kill":
                self._crew.kill(slot, diagnosis.cause)
            else:
                self._replacements.request(slot, diagnosis.cause)

    def _diagnose(self, slot: Slot, child: Child) -> Diagnosis | None:
        now = self._crew.clock()
        if child.wear.is_over_the_hard_limit(child.rss_bytes):
            what = f"memory of {child.rss_bytes / 1e6:,.0f} MB is over the hard limit"
            return Diagnosis("kill", Cause("memory", what))
        waits = child.accepts and not self._replacements.is_candidate(slot)
        if child.ready_at is None and not waits:  # one that waits for its queue says so, and is left to it
            if now - child.started_at <= slot.spec.start_timeout_s:
                return None
            what = f"not ready within {slot.spec.start_timeout_s:g} s"
            return Diagnosis("kill", Cause("not_ready", what))
        if silence := is_silent(now - child.heard_at, self._patience):
            return silence
        if child.stop_reason is not None:
            return cannot_finish(child.heartbeat)
        worn = child.wear.is_worn(age_s=now - child.started_at, jobs=child.heartbeat.done)
        return is_impaired(child.heartbeat) or (None if worn is None else Diagnosis("replace", worn))

    def forgive_silence(self) -> None:
        """We ourselves did not look for a while: nobody is to blame for what was not heard."""
        now = self._crew.clock()
        for slot in self._crew.slots:
            if slot.child is not None:
                slot.child.heard_at = now

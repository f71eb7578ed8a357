"""The inspection of all children, once a second: whether each can work, and has not used up too much."""

from __future__ import annotations

from ..policy.cause import Cause
from ..policy.diagnosis import Diagnosis, cannot_finish, is_impaired, is_silent
from .children import Children
from .replacements import Replacements
from .slot import Child, Slot


class Inspection:
    """Inspects every child, and kills or replaces it where that is the remedy.

    Parameters:
      children: the children.
      replacements: replaces a child that is impaired, or has used up too much.
      heartbeat_timeout_s: how long a child may be silent, in seconds.
    """

    def __init__(self, children: Children, replacements: Replacements, *, heartbeat_timeout_s: float) -> None:
        self._children = children
        self._replacements = replacements
        self._heartbeat_timeout_s = heartbeat_timeout_s

    def inspect(self) -> None:
        """Inspect all children."""
        for slot in list(self._children.slots):
            child = slot.child
            if child is None or child.kill_cause is not None:
                continue
            child.rss_bytes = self._children.process_control.rss_bytes(child.pid)
            child.usage.sample(child.rss_bytes)
            diagnosis = self._diagnose(slot, child)
            if diagnosis is None:
                continue
            if diagnosis.remedy == "kill":
                self._children.kill(slot, diagnosis.cause)
            else:
                self._replacements.request(slot, diagnosis.cause)

    def _diagnose(self, slot: Slot, child: Child) -> Diagnosis | None:
        now = self._children.clock()
        if child.usage.is_over_the_hard_limit(child.rss_bytes):
            text = f"memory of {child.rss_bytes / 1e6:,.0f} MB is over the hard limit"
            return Diagnosis("kill", Cause("memory", text))
        # An API that waits for its queue says so in its heartbeats. It has no time limit, unless it is a
        # replacement.
        waits_for_queue = child.accepts and not self._replacements.is_candidate(slot)
        if child.ready_at is None and not waits_for_queue:
            if now - child.started_at <= slot.spec.start_timeout_s:
                return None
            text = f"not ready within {slot.spec.start_timeout_s:g} s"
            return Diagnosis("kill", Cause("not_ready", text))
        if silence := is_silent(now - child.heard_at, timeout_s=self._heartbeat_timeout_s):
            return silence
        if child.stop_reason is not None:
            return cannot_finish(child.heartbeat)
        exceeded = child.usage.exceeded(age_s=now - child.started_at, jobs=child.heartbeat.done)
        return is_impaired(child.heartbeat) or (None if exceeded is None else Diagnosis("replace", exceeded))

    def restart_silence(self) -> None:
        """Count every child's silence from now on.

        The supervisor calls this when it was itself stopped for a while: it has read no heartbeats.
        """
        now = self._children.clock()
        for slot in self._children.slots:
            if slot.child is not None:
                slot.child.heard_at = now

"""The cause for which the supervisor kills or replaces a child."""

from __future__ import annotations

from typing import Literal, NamedTuple

#: The label by which metrics count restarts. "exited" and "killed" are deaths that the supervisor did not
#: ask for: an exit, and a signal that the supervisor did not send.
Reason = Literal[
    "exited",
    "killed",
    "hung",
    "stuck",
    "lost_threads",
    "not_ready",
    "slow_stop",
    "memory",
    "age",
    "jobs",
    "reload",
]


class Cause(NamedTuple):
    """Says why the supervisor kills or replaces a child.

    Attributes:
      reason: the label for metrics.
      text: the explanation for the operator.
    """

    reason: Reason
    text: str

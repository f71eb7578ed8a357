"""The parts that play a customer, put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ops.foundation.settings import Settings

from ...supervision import Supervisor
from .carrier import Carrier
from .network import Network
from .outbox import SentReplies
from .phones import Phone, phones
from .workers import WorkerProcesses


@dataclass(frozen=True, slots=True)
class PlayedCustomers:
    """Holds the phones, by their numbers, what is sent to them, and the workers that answer."""

    phones: Mapping[int, Phone]
    replies: SentReplies
    workers: WorkerProcesses
    carrier: Carrier


def played_customers(settings: Settings, ask_supervisor: Supervisor | None) -> PlayedCustomers | None:
    """Put the parts together; None where `DASHBOARD_TRY_IT` does not ask for them.

    Parameters:
      settings: the settings.
      ask_supervisor: asks the supervisor for its status; None where there is no supervisor.
    """
    if not settings.dashboard_try_it:
        return None
    network, replies = Network(settings), SentReplies(settings.console_outbox_path)
    made = phones(settings, network)
    carrier = Carrier(replies, network, [phone.contact for phone in made.values()])
    return PlayedCustomers(made, replies, WorkerProcesses(ask_supervisor), carrier)

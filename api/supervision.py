"""What the supervisor says of itself and its children, told to Prometheus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

#: Asks for the supervisor's status, a document as `recado status --json` prints it; None: nobody answers.
Supervisor = Callable[[], Mapping[str, Any] | None]


class SupervisorCollector(Collector):
    """The processes `recado up` runs on this machine. Without it there is nothing to tell.

    Parameters:
      supervisor: asks it.
    """

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def collect(self) -> Iterator[Metric]:
        status = self._supervisor()
        if status is None:
            return
        children = GaugeMetricFamily(
            "recado_supervisor_children",
            "Processes by state: starting, ready, draining, waiting (to be started again), failed.",
            labels=["kind", "state"],
        )
        states = Counter((child["kind"], child["state"]) for child in status["children"])
        for (kind, state), count in states.items():
            children.add_metric([kind, state], count)
        memory = GaugeMetricFamily(
            "recado_supervisor_process_memory_bytes", "Resident memory of a process.", labels=["process"]
        )
        memory.add_metric(["supervisor"], status["supervisor"]["rss_bytes"])
        for child in status["children"]:
            if child["pid"] is not None:
                memory.add_metric([child["name"]], child["rss_bytes"])
        restarts = CounterMetricFamily(
            "recado_supervisor_restarts",
            "Processes that were started in the place of another, by why that one went.",
            labels=["kind", "reason"],
        )
        for restart in status["restarts"]:
            restarts.add_metric([restart["kind"], restart["reason"]], restart["count"])
        wanted = GaugeMetricFamily(
            "recado_supervisor_workers_wanted",
            "Workers there are to be.",
            status["supervisor"]["workers_wanted"],
        )
        yield from (children, memory, restarts, wanted)

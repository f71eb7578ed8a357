"""The processes: what they run, how often and how long."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt

from .section import Milliseconds, Section

#: The bounds of the number of threads in one worker process. A number beyond them is taken for a mistake.
MIN_WORKER_THREADS, MAX_WORKER_THREADS = 1, 4096

#: The most calls of one kind that one process has in flight: one connection each.
MAX_CALLS = 1000


class ProcessSettings(Section):
    """Retries, the API, workers and their supervisor."""

    # Retries: a customer is waiting
    message_max_retries: Annotated[int, Field(ge=0)] = Field(
        8, description="retries before a message is a dead letter"
    )
    message_min_backoff_ms: Milliseconds = Field(
        1_000, description="pause before the first retry, in milliseconds"
    )
    message_max_backoff_ms: Milliseconds = Field(
        60_000, description="longest pause between retries, in milliseconds"
    )
    message_max_age_ms: Milliseconds = Field(
        3_600_000, description="a message older than this is not answered any more, in milliseconds"
    )
    message_time_limit_ms: Milliseconds = Field(
        120_000, description="an actor is interrupted after this, in milliseconds"
    )

    # Running
    api_host: str = Field("127.0.0.1", description="the address the API listens on")
    api_port: Annotated[int, Field(ge=0, le=65535)] = Field(8000, description="the port the API listens on")
    api_request_timeout_s: PositiveFloat = Field(
        15.0,
        description="how long a client may take to send a whole request, in seconds; then it is hung up on",
    )
    api_tokens_path: Path = Field(
        Path("api-tokens.json"),
        description="the file with the names, roles and digests of other programs' tokens for /api/v1",
    )
    api_v1_requests_per_minute: PositiveInt = Field(
        600, description="requests to /api/v1 that one token may make in a minute, in each API process"
    )
    worker_threads: Annotated[int, Field(ge=MIN_WORKER_THREADS, le=MAX_WORKER_THREADS)] = Field(
        8,
        description="messages one worker process handles at a time, beside calls in flight, 1 to 4096",
    )
    ai_calls_per_worker: Annotated[int, Field(ge=1, le=MAX_CALLS)] = Field(
        500, description="calls to the model that one worker process has in flight at most, 1 to 1000"
    )
    ai_max_concurrent: PositiveInt | None = Field(
        None,
        description="calls to the model that all workers together have in flight at most, shared evenly "
        "among your numbers; no limit when not set",
    )
    twilio_calls_per_worker: Annotated[int, Field(ge=1, le=MAX_CALLS)] = Field(
        50, description="calls to Twilio that one worker process has in flight at most, 1 to 1000"
    )
    workers: PositiveInt = Field(2, description="worker processes `recado up` keeps running")
    workers_max: PositiveInt | None = Field(
        None, description="worker processes it may start when messages wait; none beyond WORKERS when not set"
    )
    workers_target_wait_s: PositiveFloat = Field(
        10.0, description="wait of a message that makes it start more, up to WORKERS_MAX, in seconds"
    )
    worker_recycle_memory_mb: PositiveInt | None = Field(
        None, description="a worker that stays above this is replaced when it is done, in MB"
    )
    worker_memory_limit_mb: PositiveInt | None = Field(
        None, description="a worker above this is killed at once, as if it had crashed, in MB"
    )
    worker_recycle_age_s: PositiveInt | None = Field(
        None, description="a worker of this age is replaced, in seconds"
    )
    worker_recycle_jobs: PositiveInt | None = Field(
        None, description="a worker that has done so many messages is replaced"
    )
    heartbeat_interval_s: PositiveFloat = Field(
        1.0, description="how often `recado up` hears from each process, in seconds"
    )
    heartbeat_timeout_s: PositiveFloat = Field(
        10.0, description="a process that says nothing for so long is killed and replaced, in seconds"
    )
    hang_grace_s: PositiveFloat = Field(
        30.0, description="time beyond its limit after which a message counts as stuck, in seconds"
    )
    drain_timeout_s: PositiveFloat = Field(
        150.0, description="how long running messages may take to finish when `recado up` stops, in seconds"
    )
    run_directory: Path = Field(
        Path("run"), description="where `recado up` keeps its lock and its socket, beside nobody else's"
    )
    metrics_directory: Path = Field(
        Path("metrics"), description="where the processes of one machine keep what they count"
    )
    metrics_host: str = Field("127.0.0.1", description="the address a worker shows the machine's metrics on")
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = Field(
        9191, description="the port for that; 0: workers show none, as under `recado up`, whose API does"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", description="least level that is logged"
    )
    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: readable on a terminal, JSON otherwise"
    )
    tracing: bool = Field(
        False, description="send OpenTelemetry spans to a collector; the OTEL_ variables say where"
    )

    def problems_of_supervising(self) -> list[str]:
        """What does not belong together."""
        problems = []
        if self.workers_max is not None and self.workers_max < self.workers:
            problems.append(
                f"WORKERS_MAX is {self.workers_max}: it must be at least WORKERS ({self.workers})"
            )
        if self.heartbeat_timeout_s < 3 * self.heartbeat_interval_s:
            problems.append(
                f"HEARTBEAT_TIMEOUT_S is {self.heartbeat_timeout_s:g}: it must be at least three times "
                f"HEARTBEAT_INTERVAL_S ({self.heartbeat_interval_s:g})"
            )
        return problems

    @property
    def local_url(self) -> str:
        """The URL of the API for programs of its own machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.api_host, self.api_host)  # noqa: S104  not bound to
        return f"http://{host if ':' not in host or host.startswith('[') else f'[{host}]'}:{self.api_port}"

    @property
    def most_workers(self) -> int:
        """Worker processes there may be at most."""
        return self.workers if self.workers_max is None else self.workers_max

    @property
    def longest_run_s(self) -> float:
        """How long a message may run before its worker is taken to hang, in seconds."""
        return self.message_time_limit_ms / 1_000 + self.hang_grace_s

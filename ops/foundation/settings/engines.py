"""Where messages wait and conversations are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt, SecretStr, field_validator

from ..credentials import without_credentials
from .section import Section, http_url, listed, split_url

#: Where conversations are kept, by where messages wait, unless a setting says otherwise.
CONVERSATIONS_BESIDE = {"sqlite": "sqlite", "redis": "redis", "sqs": "sqlite", "bullmq": "redis"}


class EngineSettings(Section):
    """The engines of the queue and of the conversations."""

    # The queue
    queue_backend: Literal["sqlite", "redis", "sqs", "bullmq"] = Field(
        "sqlite",
        description="where messages wait: a file of this machine, a Redis server for any number of them, "
        "Amazon SQS, or BullMQ's queues on a Redis server",
    )
    queue_sqlite_db_path: Path = Field(Path("queue.db"), description="the queue's database file")
    queue_max_deliveries: Annotated[int, Field(ge=2)] = Field(  # what counted on it is told at its second run
        5, description="workers that may die under a message before it becomes a dead letter; at least 2"
    )
    queue_max_message_bytes: PositiveInt = Field(
        1024 * 1024, description="largest message accepted, in bytes"
    )
    conversations_backend: Literal["auto", "sqlite", "redis"] = Field(
        "auto",
        description="where conversations are kept; auto: where messages wait, on Redis beside BullMQ, or in "
        "a file beside SQS",
    )
    conversations_sqlite_db_path: Path = Field(
        Path("conversations.db"), description="the conversations' database file"
    )
    conversations_retention_days: PositiveInt = Field(
        30,
        description="how long what was said is kept once it is at rest, in days; opt-outs, what is owed and "
        "what a person answers stay",
    )

    # Redis
    redis_url: SecretStr | None = Field(
        None,
        description="redis://, rediss:// or unix://; several nodes of a cluster, separated by commas",
    )
    redis_namespace: str = Field(
        "recado",
        pattern=r"^[\w.-]+$",
        description="what the names of all keys begin with; letters, digits, dots and hyphens",
    )
    redis_shards: int = Field(
        1,
        ge=1,
        le=64,
        description="over how many namespaces messages and conversations are spread, for a cluster",
    )
    redis_sentinels: str | None = Field(
        None,
        pattern=r"^[^,:\s]+:\d+(,[^,:\s]+:\d+)*$",
        description="Sentinels that know the master, as host:port, separated by commas",
    )
    redis_sentinel_master: str = Field("mymaster", description="the name the Sentinels know the master by")
    redis_durability: Literal["wait", "require", "waive"] = Field(
        "wait",
        description="wait for the server's file where it has one; require that it has one; or waive the wait",
    )
    redis_timeout_s: PositiveFloat = Field(
        5.0, description="longest wait for a connection or an answer of the server, in seconds"
    )
    redis_heartbeat_timeout_s: Annotated[float, Field(ge=1)] = Field(
        15.0,
        description="heartbeats come five times in so many seconds, at least 1; a worker of another machine "
        "that is silent for four times as long is dead",
    )
    spool_path: Path = Field(
        Path("spool.db"), description="the file in which webhooks wait while Redis is away"
    )
    spool_after_s: PositiveFloat = Field(
        2.0, description="how long a webhook waits for Redis before it goes to the spool, in seconds"
    )

    # Amazon SQS
    sqs_namespace: str = Field(
        "recado",
        pattern=r"^[A-Za-z0-9-]+$",
        max_length=40,
        description="what the names of all queues begin with; letters, digits and hyphens",
    )
    sqs_region: str | None = Field(
        None, description="the region of AWS, such as sa-east-1; that of the credentials when not set"
    )
    sqs_endpoint_url: str | None = Field(
        None, description="the URL of a service that is compatible with SQS; Amazon's own when not set"
    )
    sqs_visibility_timeout_s: Annotated[int, Field(ge=2, le=43_200)] = Field(
        30, description="a worker process silent for so long is dead, in seconds; at least 2"
    )

    # BullMQ
    bullmq_prefix: str = Field(
        "bull",
        pattern=r"^[\w.{}-]+$",
        description="what the names of all keys begin with, as at BullMQ; in a cluster in braces",
    )
    bullmq_keep_completed: NonNegativeInt = Field(
        0, description="jobs that are done and that each queue keeps, for BullMQ's tools to show"
    )
    bullmq_lock_s: Annotated[float, Field(ge=1)] = Field(
        30.0, description="a worker process silent for so long has lost what it holds, in seconds; at least 1"
    )

    @field_validator("sqs_endpoint_url")
    @classmethod
    def _is_url_of_sqs(cls, value: str | None) -> str | None:
        return http_url(value)

    @field_validator("redis_url")
    @classmethod
    def _is_redis_url(cls, value: SecretStr | None) -> SecretStr | None:
        for url in listed(value):
            split = split_url(url)
            if split.scheme not in {"redis", "rediss", "unix"} or not (split.hostname or split.path):
                raise ValueError("must be a URL that begins with redis://, rediss:// or unix://")
        return value

    def problems_of_the_engine(self) -> list[str]:
        """What the chosen engine lacks."""
        if {"redis", "bullmq"} & {self.queue_backend, self.conversations_on} and self.redis_url is None:
            needed_by = "QUEUE_BACKEND=redis, QUEUE_BACKEND=bullmq and CONVERSATIONS_BACKEND=redis"
            return [f"REDIS_URL is missing: {needed_by} need it"]
        return []

    @property
    def conversations_on(self) -> str:
        """The engine that keeps conversations."""
        if self.conversations_backend != "auto":
            return self.conversations_backend
        return CONVERSATIONS_BESIDE[self.queue_backend]

    @property
    def sentinel_addresses(self) -> list[tuple[str, int]]:
        """Where the Sentinels are."""
        pairs = [address.rpartition(":") for address in (self.redis_sentinels or "").split(",") if address]
        return [(host, int(port)) for host, _, port in pairs]

    @property
    def queue_address(self) -> str:
        """Where messages wait, fit for logs: no password."""
        if self.queue_backend == "sqlite":
            return str(self.queue_sqlite_db_path)
        if self.queue_backend == "sqs":
            place = self.sqs_endpoint_url or self.sqs_region or "the credentials' region"
            return f"{without_credentials(place)} {self.sqs_namespace}"
        hosts = [
            urlsplit(url).netloc.rpartition("@")[2] or urlsplit(url).path for url in listed(self.redis_url)
        ]
        name = self.bullmq_prefix if self.queue_backend == "bullmq" else self.redis_namespace
        return f"{','.join(hosts)} {name}"

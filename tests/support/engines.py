"""What the conformance suite needs to know of each engine, beside the protocol.

A new engine joins the suite with one more subclass of `Engine`, listed in `ENGINES`.
"""

from __future__ import annotations

import atexit
import os
import resource
import secrets
import signal
import subprocess
import sys
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Self

from dramatiq import Middleware

from brokers import RedisBroker, SQLiteBroker
from brokers.backend import EVERYTHING, Capabilities, QueueBackend
from brokers.bullmq import BullMQBackend, BullMQBroker
from brokers.durable import DurableBroker
from brokers.redis import RedisBackend, RedisOptions, ShardedBackend, redis_backend
from brokers.redis.host_processes import started_at, this_host
from brokers.redis.shards import namespaces
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.liveness.process_registry import peers
from brokers.sqlite.maintenance import scheduler
from brokers.sqlite.storage.database import Database
from brokers.sqlite.storage.process_lock import ProcessLock
from brokers.sqs import SQSBackend, SQSBroker
from brokers.sqs.backend import LARGEST_BYTES

from .redis_server import RedisServer, ask, installed_servers
from .sqs_server import AWS, REGION, SQSServer
from .waiting import eventually


@dataclass(frozen=True)
class Engine(ABC):
    """One store of an engine. Pickles, so that another process can open the same store.

    Attributes:
      directory: for the store, or for what the engine keeps of it.
    """

    directory: Path

    #: Ways to keep the engine away from this process, by name. Inside the context every write fails.
    OUTAGES: ClassVar[Mapping[str, Callable[[Any], Any]]] = {}

    #: What it says that it can do.
    CAPABILITIES: ClassVar[Capabilities] = EVERYTHING

    #: The largest payload that it takes, in bytes.
    LARGEST: ClassVar[int] = 1024 * 1024

    #: Whether the engine tells the time, or each process by itself.
    HAS_A_CLOCK_OF_ITS_OWN: ClassVar[bool] = False

    #: Whether processes of several machines may share a store. Then one can be taken for dead that lives.
    IS_SHARED_BY_MACHINES: ClassVar[bool] = False

    @classmethod
    @contextmanager
    def create(cls, directory: Path) -> Iterator[Self]:
        """A new store, and whatever has to run for it meanwhile."""
        yield cls(directory)

    @abstractmethod
    def beside(self, directory: Path) -> Engine:
        """Another empty store."""

    @abstractmethod
    def open(self, **options: Any) -> QueueBackend:
        """A new backend on the store, independent of all others.

        Parameters:
          options: max_deliveries, max_message_bytes, clock.
        """

    @abstractmethod
    def broker(self, *, middleware: list[Middleware], **options: Any) -> DurableBroker:
        """A new broker on the store, made as a user of the library would."""

    @abstractmethod
    def waiting(self) -> int:
        """How many processes have a consumer waiting, and would be woken by an enqueue."""

    @abstractmethod
    def crash(self, backend: QueueBackend) -> None:
        """Leave `backend` as the death of its process would."""

    def lose_sight_of(self, pid: int) -> None:
        """Have a stopped process look like one of another machine that has been silent for too long."""
        raise NotImplementedError

    def fall_silent(self, backend: QueueBackend) -> None:  # noqa: B027
        """Have the others hear nothing of `backend`, whose process lives, and is of this machine.

        Where processes tell nothing of themselves, this does nothing.
        """

    def lose(self, backend: QueueBackend) -> None:
        """Have the others take `backend` for one of another machine that has been silent for too long."""
        raise NotImplementedError

    def be_heard(self, backend: QueueBackend) -> None:  # noqa: B027
        """Have the others hear of `backend` again, unless they have taken it for dead."""

    @abstractmethod
    def recover(self, backend: QueueBackend) -> None:
        """Have `backend` look for the messages of the dead now, and return when it is done."""

    @abstractmethod
    def hurry(self, setattr_: Callable[[str, object], None]) -> None:
        """Make housekeeping quick, where a test opens and closes backends by the dozen."""

    @abstractmethod
    def hold_housekeeping(self, setattr_: Callable[[object, str, object], None]) -> None:
        """Have nothing look for the dead by itself, where a test says when that is done."""


class SQLiteEngine(Engine):
    """A database file."""

    @property
    def path(self) -> Path:
        return self.directory / "queue.db"

    @property
    def run_directory(self) -> Path:
        return self.directory / "queue.db-run"

    def beside(self, directory: Path) -> SQLiteEngine:
        return SQLiteEngine(directory)

    def open(self, **options: Any) -> SQLiteBackend:
        return SQLiteBackend(self.path, **options)

    def broker(self, *, middleware: list[Middleware], **options: Any) -> SQLiteBroker:
        return SQLiteBroker(self.path, middleware=middleware, **options)

    def waiting(self) -> int:
        count = 0
        for peer in peers(self.run_directory, None):
            with closing(peer):
                count += peer.is_waiting()
        return count

    def crash(self, backend: QueueBackend) -> None:
        assert isinstance(backend, SQLiteBackend)
        session, backend._session = backend._session, None
        if session is not None:
            session.maintenance.stop()
        backend.close()
        if session is not None:
            # The files stay, and no process has the lock any more: as the kernel leaves a process.
            session.receiver.abandon()
            session.entry.abandon()

    def recover(self, backend: QueueBackend) -> None:
        assert isinstance(backend, SQLiteBackend)
        session = backend._consumer_session()
        session.maintenance.recover(thorough=True)
        # The maintenance thread may have been quicker, and not yet be done.
        eventually(lambda: not any(self._dead(session.entry.owner)))

    def _dead(self, own: int) -> Iterator[bool]:
        for peer in peers(self.run_directory, own):
            with closing(peer):
                yield peer.is_dead()

    def hurry(self, setattr_: Callable[[str, object], None]) -> None:
        setattr_("brokers.sqlite.maintenance.scheduler.ROUND_S", 0.02)

    def hold_housekeeping(self, setattr_: Callable[[object, str, object], None]) -> None:
        setattr_(scheduler, "ROUND_S", 3_600.0)

    @contextmanager
    def _disk_full(self) -> Iterator[None]:
        """No file of this process may grow or be written: the limit counts from the file's start."""
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    @contextmanager
    def _stuck(self) -> Iterator[None]:
        """Another process took its turn and does not go on: stopped, or its disk hangs."""
        patience_s = Database.write_timeout_s
        Database.write_timeout_s = 0.3
        try:
            with closing(ProcessLock(self.run_directory)) as lock, lock:
                yield
        finally:
            Database.write_timeout_s = patience_s

    OUTAGES: ClassVar[Mapping[str, Callable[[Any], Any]]] = {"disk full": _disk_full, "stuck": _stuck}


@dataclass(frozen=True)
class RedisEngine(Engine):
    """A namespace on a server of its own.

    Attributes:
      port: where the server listens.
      pid: the server's process.
    """

    port: int
    pid: int
    namespace: str = "recado"

    BINARY: ClassVar[str | None]
    IS_SHARED_BY_MACHINES: ClassVar[bool] = True
    HAS_A_CLOCK_OF_ITS_OWN: ClassVar[bool] = True
    #: Short, so that a test need not wait long for a death to be noticed; long enough for a busy machine.
    HEARTBEAT_TIMEOUT_S: ClassVar[float] = 2.0

    @classmethod
    @contextmanager
    def create(cls, directory: Path) -> Iterator[Self]:
        with RedisServer(directory, binary=cls.BINARY) as server:
            yield cls(directory, server.port, server.pid)

    def beside(self, directory: Path) -> RedisEngine:
        return replace(self, directory=directory, namespace=secrets.token_hex(4))

    @property
    def options(self) -> dict[str, Any]:
        return {
            "namespace": self.namespace,
            "heartbeat_timeout_s": self.HEARTBEAT_TIMEOUT_S,
        }

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def open(self, **options: Any) -> RedisBackend:
        return RedisBackend(RedisOptions(self.url, timeout_s=2.0), **self.options, **options)

    def broker(self, *, middleware: list[Middleware], **options: Any) -> RedisBroker:
        return RedisBroker(self.url, timeout_s=2.0, **self.options, middleware=middleware, **options)

    def waiting(self) -> int:
        script = f"""
            local owners = {{}}
            for _, key in ipairs(redis.call('KEYS', '{{{self.namespace}}}:waiting:*')) do
                for _, owner in ipairs(redis.call('SMEMBERS', key)) do owners[owner] = true end
            end
            local count = 0
            for _ in pairs(owners) do count = count + 1 end
            return count
        """
        return int(ask(self.port, "EVAL", script, 0))

    def crash(self, backend: QueueBackend) -> None:
        assert isinstance(backend, RedisBackend)
        session, backend._current_session = backend._current_session, None
        backend.close()
        if session is not None:
            session.stop()
            self._silence(session.owner)

    def _silence(self, owner: str) -> None:
        """Of another machine, and silent since the beginning of time: the next who looks finds it dead."""
        ask(self.port, "ZADD", f"{{{self.namespace}}}:processes", "XX", "0", owner)
        ask(self.port, "HSET", f"{{{self.namespace}}}:process:{owner}", "host", "elsewhere")

    def fall_silent(self, backend: QueueBackend) -> None:
        self._is_heard(backend, "0")

    def lose(self, backend: QueueBackend) -> None:
        assert isinstance(backend, RedisBackend)
        self._silence(backend._session().owner)

    def be_heard(self, backend: QueueBackend) -> None:
        self._is_heard(backend, f"{ask(self.port, 'TIME')[0]}000")

    def _is_heard(self, backend: QueueBackend, at_ms: str) -> None:
        """The last that the server heard of a process of this machine was at a time."""
        assert isinstance(backend, RedisBackend)
        owner, pid = backend._session().owner, os.getpid()
        about = ("host", this_host(), "pid", pid, "started", started_at(pid))
        if ask(self.port, "ZSCORE", f"{{{self.namespace}}}:processes", owner) is not None:
            ask(self.port, "ZADD", f"{{{self.namespace}}}:processes", "XX", at_ms, owner)
            ask(self.port, "HSET", f"{{{self.namespace}}}:process:{owner}", *about)

    def lose_sight_of(self, pid: int) -> None:
        prefix = f"{{{self.namespace}}}:process:"
        for key in ask(self.port, "KEYS", f"{prefix}*"):
            if ask(self.port, "HGET", key, "pid") == str(pid).encode():
                self._silence(key.decode().removeprefix(prefix))

    def recover(self, backend: QueueBackend) -> None:
        assert isinstance(backend, RedisBackend)
        backend._session().heartbeat.beat()

    def hurry(self, setattr_: Callable[[str, object], None]) -> None:
        pass

    def hold_housekeeping(self, setattr_: Callable[[object, str, object], None]) -> None:
        setattr_(RedisEngine, "HEARTBEAT_TIMEOUT_S", 3_600.0)

    @contextmanager
    def _stopped(self) -> Iterator[None]:
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    @contextmanager
    def _read_only(self) -> Iterator[None]:
        """The server is a replica now, as after a failover."""
        assert ask(self.port, "REPLICAOF", "127.0.0.1", "1")
        try:
            yield
        finally:
            assert ask(self.port, "REPLICAOF", "NO", "ONE")

    @contextmanager
    def _busy(self) -> Iterator[None]:
        """Somebody's script does not end, and the server refuses all else."""
        ask(self.port, "CONFIG", "SET", "busy-reply-threshold", "10")
        endless = [sys.executable, "-c", _ENDLESS_SCRIPT, str(self.port)]
        with subprocess.Popen(endless) as somebody:
            eventually(lambda: "BUSY" in str(ask(self.port, "GET", "x")))
            try:
                yield
            finally:
                assert ask(self.port, "SCRIPT", "KILL") in {True, b"OK"}
                somebody.wait()

    OUTAGES: ClassVar[Mapping[str, Callable[[Any], Any]]] = {
        "stopped": _stopped,
        "read-only": _read_only,
        "busy": _busy,
    }


@dataclass(frozen=True)
class ShardedEngine(RedisEngine):
    """Three shards on one server, as far as anybody can tell on three nodes of a cluster."""

    BINARY: ClassVar[str | None] = None
    SHARDS: ClassVar[int] = 3
    CAPABILITIES: ClassVar[Capabilities] = replace(
        RedisBackend.capabilities, priorities=False, in_due_order=False
    )

    @property
    def options(self) -> dict[str, Any]:
        return {**super().options, "shards": self.SHARDS}

    @property
    def shards(self) -> list[RedisEngine]:
        names = namespaces(self.namespace, self.SHARDS)
        return [RedisEngine(self.directory, self.port, self.pid, name) for name in names]

    def open(self, **options: Any) -> ShardedBackend:  # type: ignore[override]
        backend = redis_backend(RedisOptions(self.url, timeout_s=2.0), **self.options, **options)
        assert isinstance(backend, ShardedBackend)
        return backend

    def waiting(self) -> int:
        return min(shard.waiting() for shard in self.shards)

    def crash(self, backend: QueueBackend) -> None:
        assert isinstance(backend, ShardedBackend)
        for engine, shard in zip(self.shards, backend.shards, strict=True):
            engine.crash(shard.backend)

    def fall_silent(self, backend: QueueBackend) -> None:
        for engine, shard in self._of(backend):
            engine.fall_silent(shard)

    def lose(self, backend: QueueBackend) -> None:
        for engine, shard in self._of(backend):
            engine.lose(shard)

    def be_heard(self, backend: QueueBackend) -> None:
        for engine, shard in self._of(backend):
            engine.be_heard(shard)

    def _of(self, backend: QueueBackend) -> Iterator[tuple[RedisEngine, RedisBackend]]:
        assert isinstance(backend, ShardedBackend)
        for engine, shard in zip(self.shards, backend.shards, strict=True):
            yield engine, shard.backend

    def lose_sight_of(self, pid: int) -> None:
        for shard in self.shards:
            shard.lose_sight_of(pid)

    def recover(self, backend: QueueBackend) -> None:
        assert isinstance(backend, ShardedBackend)
        for engine, shard in zip(self.shards, backend.shards, strict=True):
            engine.recover(shard.backend)


@dataclass(frozen=True)
class BullMQEngine(RedisEngine):
    """A prefix on a server of its own."""

    BINARY: ClassVar[str | None] = None
    CAPABILITIES: ClassVar[Capabilities] = BullMQBackend.capabilities

    #: Short, so that a test need not wait long for a death to be noticed; long enough for a busy machine.
    LOCK_S: ClassVar[float] = 3.0

    @property
    def options(self) -> dict[str, Any]:
        return {"prefix": self.namespace, "lock_s": self.LOCK_S}

    def open(self, **options: Any) -> BullMQBackend:  # type: ignore[override]  # it has the server, not the engine
        return BullMQBackend(RedisOptions(self.url, timeout_s=2.0), **self.options, **options)

    def broker(self, *, middleware: list[Middleware], **options: Any) -> BullMQBroker:  # type: ignore[override]
        return BullMQBroker(self.url, timeout_s=2.0, **self.options, middleware=middleware, **options)

    def waiting(self) -> int:
        clients = ask(self.port, "CLIENT", "LIST").decode().splitlines()
        waiting = (dict(part.partition("=")[::2] for part in client.split()) for client in clients)
        return len({each["name"].rpartition(":")[2] for each in waiting if each["cmd"] == "bzpopmin"})

    def crash(self, backend: QueueBackend) -> None:
        assert isinstance(backend, BullMQBackend)
        session, backend._current_session = backend._current_session, None
        backend.close()
        if session is not None:
            session.stop()
            self._silence(session.owner)

    def _silence(self, owner: str) -> None:
        """It has not renewed its locks for too long."""
        for lock in ask(self.port, "KEYS", f"{self.namespace}:*:lock"):
            if ask(self.port, "GET", lock).startswith(owner.encode()):
                ask(self.port, "DEL", lock)

    def lose_sight_of(self, pid: int) -> None:
        for process in ask(self.port, "KEYS", f"{self.namespace}:.recado:process:*:{pid}"):
            for owner in ask(self.port, "SMEMBERS", process):
                self._silence(owner.decode())

    def recover(self, backend: QueueBackend) -> None:
        assert isinstance(backend, BullMQBackend)
        backend._session().locks.renew(grace_ms=0)


@dataclass(frozen=True)
class SQSEngine(Engine):
    """Queues of one name on moto's server.

    Attributes:
      url: the server.
      namespace: what the names of the queues begin with.
    """

    url: str
    namespace: str = "recado"

    CAPABILITIES: ClassVar[Capabilities] = SQSBackend.capabilities
    LARGEST: ClassVar[int] = LARGEST_BYTES
    IS_SHARED_BY_MACHINES: ClassVar[bool] = True
    HAS_A_CLOCK_OF_ITS_OWN: ClassVar[bool] = True

    @classmethod
    @contextmanager
    def create(cls, directory: Path) -> Iterator[Self]:
        with environment(AWS):
            yield cls(directory, _moto().url, f"test-{secrets.token_hex(4)}")

    def beside(self, directory: Path) -> SQSEngine:
        return replace(self, directory=directory, namespace=f"test-{secrets.token_hex(4)}")

    @property
    def options(self) -> dict[str, Any]:
        return {"region": REGION, "endpoint_url": self.url, "namespace": self.namespace}

    def open(self, **options: Any) -> SQSBackend:
        options.pop("clock", None)  # Amazon tells the time
        return SQSBackend(**self.options, poll_s=0, **options)

    def broker(self, *, middleware: list[Middleware], **options: Any) -> SQSBroker:
        return SQSBroker(**self.options, poll_s=1, middleware=middleware, **options)

    def waiting(self) -> int:
        return 1  # a request for messages is open somewhere, or the next one is about to be

    def crash(self, backend: QueueBackend) -> None:
        backend.close()

    def recover(self, backend: QueueBackend) -> None:
        """Nothing can hurry SQS: a lease ends when it ends."""

    def hurry(self, setattr_: Callable[[str, object], None]) -> None:
        pass

    def hold_housekeeping(self, setattr_: Callable[[object, str, object], None]) -> None:
        pass


@cache
def _moto() -> SQSServer:
    """One server for all tests of this process; it ends with the process."""
    server = SQSServer(Path(tempfile.mkdtemp(prefix="recado-test-sqs-")))
    server.start()
    atexit.register(server.kill)
    return server


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """While inside, these are in the environment."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_ENDLESS_SCRIPT = """
import sys
from tests.support.redis_server import ask
ask(int(sys.argv[1]), "EVAL", "while true do end", 0)
"""


def _on(binary: str) -> type[RedisEngine]:
    name = Path(binary).name.title().replace("-", "") + "Engine"
    kind = type(name, (RedisEngine,), {"BINARY": binary, "__module__": __name__})
    globals()[name] = kind  # where pickle looks for it
    return kind


ENGINES: Mapping[str, type[Engine]] = {
    "sqlite": SQLiteEngine,
    "sqs": SQSEngine,
    "bullmq": BullMQEngine,
    "redis-sharded": ShardedEngine,
    **{Path(binary).name: _on(binary) for binary in installed_servers()},
}

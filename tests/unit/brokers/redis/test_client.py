"""Servers of every kind: with passwords, TLS, Sentinels, as a cluster; and what they say when they cannot."""

from __future__ import annotations

import logging
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Any

import pytest
import redis

from brokers.backend import QueueBackend
from brokers.errors import EngineError, NotDurable
from brokers.redis import RedisBackend, scripts
from brokers.redis.client import RedisClient
from brokers.redis.commands import Command, Committer
from brokers.redis.options import RedisOptions
from brokers.redis.scripts import Call
from tests.support.messages import a_message, buried, claimed, stats_of, stored
from tests.support.ports import free_port
from tests.support.redis_cluster import redis_cluster
from tests.support.redis_server import RedisServer, ask, installed_servers
from tests.support.waiting import eventually

MakeServer = Callable[..., RedisServer]


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[MakeServer]:
    """Starts one more server."""
    with ExitStack() as stack:

        def make(*options: str, **more: Any) -> RedisServer:
            directory = tmp_path / str(free_port())
            directory.mkdir()
            return stack.enter_context(RedisServer(directory, *options, **more))

        yield make


@pytest.fixture
def open_backend() -> Iterator[Callable[..., RedisBackend]]:
    with ExitStack() as stack:
        yield lambda *args, **options: stack.enter_context(
            closing(RedisBackend(RedisOptions(*args, **options)))
        )


OpenBackend = Callable[..., RedisBackend]


def works(backend: QueueBackend) -> bool:
    """Whether a message goes in, comes out, is dead, comes back and is done."""
    backend.replay(buried(backend))
    delivery = claimed(backend)
    backend.started(delivery)
    backend.ack(delivery)
    backend.sync()
    return bool(stats_of(backend).done)


# -- who may come in -----------------------------------------------------------------------------------


def test_a_user_with_few_rights_is_enough(make_server: MakeServer, open_backend: OpenBackend) -> None:
    """Those that docs/redis.md names."""
    server = make_server()
    text = (Path(__file__).parents[4] / "docs" / "redis.md").read_text()
    [line] = [line for line in text.splitlines() if line.startswith("ACL SETUSER")]
    assert ask(server.port, *line.split()) == b"OK"
    assert ask(server.port, "ACL", "SETUSER", "default", "off") == b"OK"

    assert works(open_backend(f"redis://recado:secret@127.0.0.1:{server.port}/0"))


def test_a_wrong_password_is_named(make_server: MakeServer, open_backend: OpenBackend) -> None:
    server = make_server("--requirepass", "right")
    backend = open_backend(f"redis://:wrong@127.0.0.1:{server.port}/0")
    with pytest.raises(EngineError, match="AuthenticationError"):
        backend.enqueue(a_message())

    assert works(open_backend(f"redis://:right@127.0.0.1:{server.port}/0"))


def test_what_the_url_says_of_decoding_does_not_matter(
    make_server: MakeServer, open_backend: OpenBackend
) -> None:
    assert works(open_backend(make_server().url + "?decode_responses=true"))


def test_a_unix_socket(make_server: MakeServer, open_backend: OpenBackend, tmp_path: Path) -> None:
    make_server("--unixsocket", str(tmp_path / "s"))
    assert works(open_backend(f"unix://{tmp_path / 's'}"))


def test_tls(make_server: MakeServer, open_backend: OpenBackend, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += [
        "-nodes",
        "-keyout",
        str(key),
        "-out",
        str(certificate),
        "-days",
        "1",
        "-subj",
        "/CN=localhost",
    ]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    subprocess.run(command, check=True, capture_output=True)
    port = free_port()
    options = ["--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    for binary in installed_servers():
        with suppress(AssertionError):
            make_server(*options, "--tls-auth-clients", "no", binary=binary)
            break
    else:
        pytest.skip("no server here was built with TLS")

    assert works(open_backend(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={certificate}"))
    with pytest.raises(EngineError, match="certificate"):
        open_backend(f"rediss://127.0.0.1:{port}/0").enqueue(a_message())


# -- several servers -----------------------------------------------------------------------------------


def test_of_several_addresses_the_one_that_answers_is_used(
    make_server: MakeServer, open_backend: OpenBackend
) -> None:
    nobody = f"redis://127.0.0.1:{free_port()}/0"
    assert works(open_backend(f"{nobody},{make_server().url}"))


def test_one_that_takes_connections_and_does_not_answer_is_not_asked_twice(
    make_server: MakeServer, open_backend: OpenBackend
) -> None:
    hung = make_server()
    hung.stop()
    backend = open_backend(f"{hung.url},{make_server().url}", timeout_s=0.5)
    with pytest.raises(EngineError):
        backend.enqueue(a_message())

    assert works(backend)


def test_a_cluster_is_entered_by_any_node(tmp_path: Path, open_backend: OpenBackend) -> None:
    with redis_cluster(tmp_path) as nodes:
        for node in nodes:
            assert works(open_backend(node.url))


def test_sentinels_lead_to_the_master_of_the_day(make_server: MakeServer, open_backend: OpenBackend) -> None:
    master = make_server()
    replica = make_server("--replicaof", "127.0.0.1", str(master.port))
    eventually(lambda: "online" in str(ask(master.port, "INFO", "replication")))
    sentinel = make_server(
        sentinel=f"sentinel monitor ours 127.0.0.1 {master.port} 1\n"
        "sentinel down-after-milliseconds ours 500\n"
        "sentinel failover-timeout ours 5000\n"
    )
    eventually(lambda: ask(sentinel.port, "SENTINEL", "CKQUORUM", "ours"), within_s=30)
    eventually(lambda: ask(sentinel.port, "SENTINEL", "REPLICAS", "ours"), within_s=30)
    backend = open_backend(
        "redis://ignored/0", sentinels=[("127.0.0.1", sentinel.port)], sentinel_master="ours", timeout_s=2.0
    )
    kept = stored(backend, queue="before")
    eventually(lambda: ask(replica.port, "EXISTS", f"{{recado}}:message:{kept}") == 1)
    master.kill()

    eventually(lambda: takes_messages(backend), within_s=60)
    assert works(backend)
    assert backend.get(kept) is not None


def takes_messages(backend: QueueBackend) -> bool:
    try:
        return backend.enqueue(a_message(queue="after"))
    except EngineError:
        return False


# -- what a server promises ----------------------------------------------------------------------------


def test_a_server_without_a_file_is_warned_of_once(
    make_server: MakeServer, open_backend: OpenBackend, caplog: pytest.LogCaptureFixture
) -> None:
    server = make_server("--appendonly", "no")
    with caplog.at_level(logging.WARNING):
        backend = open_backend(server.url)
        for _ in range(3):
            assert works(backend)
    [warning] = [record for record in caplog.records if "append-only" in record.message]
    assert "may be lost" in warning.message


def test_a_file_may_be_required(make_server: MakeServer, open_backend: OpenBackend) -> None:
    backend = open_backend(make_server("--appendonly", "no").url, durability="require")
    with pytest.raises(NotDurable, match="appendonly yes"):
        backend.check(timeout_s=10)
    with pytest.raises(NotDurable):
        backend.enqueue(a_message())

    assert works(open_backend(make_server().url, durability="require"))


def test_the_wait_may_be_waived(
    make_server: MakeServer, open_backend: OpenBackend, caplog: pytest.LogCaptureFixture
) -> None:
    server = make_server("--appendonly", "no")
    with caplog.at_level(logging.WARNING):
        assert works(open_backend(server.url, durability="waive"))
    assert caplog.records == []


def test_a_server_that_evicts_is_warned_of(
    make_server: MakeServer, open_backend: OpenBackend, caplog: pytest.LogCaptureFixture
) -> None:
    server = make_server("--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru")
    with caplog.at_level(logging.WARNING):
        assert works(open_backend(server.url))
    assert [record for record in caplog.records if "allkeys-lru" in record.message]


def test_with_a_full_memory_messages_are_refused_and_workers_go_on(
    make_server: MakeServer, open_backend: OpenBackend
) -> None:
    server = make_server()
    backend = open_backend(server.url)
    done, retried, buried_, released = (stored(backend) for _ in range(4))
    delayed = stored(backend, delay_ms=1)
    assert ask(server.port, "CONFIG", "SET", "maxmemory", "1mb") in {True, b"OK"}
    with pytest.raises(EngineError, match="OutOfMemory"):
        backend.enqueue(a_message())

    held = {d.message_id: d for d in backend.dequeue("default", limit=4, timeout_s=10)}
    for delivery in held.values():
        backend.started(delivery)
    backend.ack(held[done])
    backend.retry(held[retried], queue="default", payload=b"{}", delay_ms=0, error="ValueError")
    backend.nack(held[buried_], reason="failed", error="ValueError")
    backend.release([held[released]])
    backend.sync()
    assert {claimed(backend).message_id for _ in range(3)} == {retried, released, delayed}
    assert (stats_of(backend).done, stats_of(backend).dead) == (1, 1)
    assert ask(server.port, "CONFIG", "SET", "maxmemory", "0") in {True, b"OK"}
    assert backend.enqueue(a_message())


# -- quiet ---------------------------------------------------------------------------------------------


def test_an_idle_process_hardly_asks(make_server: MakeServer, open_backend: OpenBackend) -> None:
    server = make_server()
    backend = open_backend(server.url)
    backend.dequeue("one", limit=1, timeout_s=0)
    before = commands(server)
    for _ in range(3):
        backend.dequeue("one", limit=1, timeout_s=1)
    assert commands(server) - before <= 3


def commands(server: RedisServer) -> int:
    """Scripts that were called."""
    answer: Any = ask(server.port, "INFO", "commandstats")
    return int(answer["cmdstat_evalsha"]["calls"])


def test_a_server_that_syncs_once_a_second_is_warned_of_or_refused(
    make_server: MakeServer, open_backend: OpenBackend, caplog: pytest.LogCaptureFixture
) -> None:
    server = make_server("--appendfsync", "everysec")
    with caplog.at_level(logging.WARNING):
        assert works(open_backend(server.url))
    assert [record for record in caplog.records if "appendfsync always" in record.message]
    with pytest.raises(NotDurable, match="appendfsync always"):
        open_backend(server.url, durability="require").enqueue(a_message())


def test_what_cannot_be_encoded_fails_alone(make_server: MakeServer, open_backend: OpenBackend) -> None:
    backend = open_backend(make_server().url)
    with pytest.raises(UnicodeEncodeError):
        backend.enqueue(a_message(unique_key="\ud800", unique_for_ms=1_000))
    assert works(backend)


@pytest.mark.parametrize("wrong", [["SM1", "SM1"], {"a": 1}, 1.5, True, None])
def test_an_argument_that_cannot_be_sent_fails_for_its_caller(
    make_server: MakeServer, open_backend: OpenBackend, wrong: Any
) -> None:
    backend = open_backend(make_server().url)
    with pytest.raises(TypeError, match="has to be str, bytes or int"):
        backend.get(wrong)
    with pytest.raises(TypeError):
        backend.enqueue(a_message(priority=[wrong]))
    assert works(backend)


def test_an_argument_that_cannot_be_sent_spoils_nothing_of_the_same_commit(
    make_server: MakeServer, open_backend: OpenBackend
) -> None:
    class Wrong(Command[Any]):
        """Learns only when its turn has come what it is called with."""

        def arguments(self) -> Any:
            raise TypeError("no argument")

    server = make_server()
    backend = open_backend(server.url)
    message_id = stored(backend)
    right = [Command(scripts.GET, (message_id,), read=len) for _ in range(2)]
    unreadable: Command[Any] = Command(scripts.GET, (message_id,), read=int)
    wrong = Wrong(scripts.GET, read=len)

    Committer(RedisClient(RedisOptions(server.url), base="{recado}")).commit(
        [right[0], wrong, unreadable, right[1]]
    )

    assert [command.outcome() > 0 for command in right] == [True, True]
    for command in (wrong, unreadable):
        with pytest.raises(TypeError):
            command.outcome()


def test_an_argument_that_cannot_be_sent_is_no_absent_server(make_server: MakeServer) -> None:
    server = RedisClient(RedisOptions(make_server().url), base="{recado}")
    argument: Any = ["SM1"]
    with closing(server), pytest.raises(redis.DataError):
        server.run([Call(scripts.GET, [argument])])

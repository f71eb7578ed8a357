"""Tokens: kept as digests, found by their secrets, and seen by every process at once."""

from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from api.record_file import RecordsUnreadable
from api.roles import ROLES
from api.v1.tokens import Token, TokenExists, TokenFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "api-tokens.json"


@pytest.fixture
def file(path: Path) -> TokenFile:
    return TokenFile(path)


def test_a_token_is_found_by_its_secret_and_by_nothing_else(file: TokenFile) -> None:
    secret = file.create("crm", "agent")

    found = file.find(secret)
    assert found is not None
    assert (found.name, found.role, found.expires_at) == ("crm", "agent", None)
    for other in ("", "recado_", secret[:-1], secret + "x", secret.upper(), found.sha256, "olá", "\udcff"):
        assert file.find(other) is None, other


def test_the_file_has_no_secret_and_is_its_owners_alone(file: TokenFile, path: Path) -> None:
    secret = file.create("crm", "agent")

    assert secret.startswith("recado_")
    assert secret not in path.read_text()
    assert secret.removeprefix("recado_") not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_two_secrets_differ(file: TokenFile) -> None:
    secrets = {file.create(f"program-{number}", "reader") for number in range(20)}

    assert len(secrets) == 20
    assert min(map(len, secrets)) > 43


def test_a_change_of_another_process_is_seen_at_once(file: TokenFile, path: Path) -> None:
    assert file.tokens() == ()
    other = TokenFile(path)
    secret = other.create("crm", "agent")
    assert file.find(secret) is not None

    other.revoke("crm")
    assert file.find(secret) is None

    again = other.create("crm", "agent")
    path.unlink()
    assert file.find(again) is None


def test_an_unchanged_file_is_not_read_again(
    file: TokenFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = file.create("crm", "agent")
    assert file.find(secret) is not None
    monkeypatch.setattr(Path, "read_text", lambda *_: pytest.fail("it was read"))

    assert file.find(secret) is not None


def test_a_token_expires(path: Path) -> None:
    now = 1_000
    file = TokenFile(path, clock=lambda: now)
    secret = file.create("crm", "agent", expires_in_ms=500)
    token = file.find(secret)
    assert token is not None

    assert (token.created_at, token.expires_at) == (1_000, 1_500)
    assert not file.has_expired(token)
    now = 1_500
    assert file.has_expired(token)


def test_a_name_is_used_once_and_again_after_it_was_revoked(file: TokenFile) -> None:
    first = file.create("crm", "agent")
    with pytest.raises(TokenExists, match="crm"):
        file.create("crm", "reader")

    assert file.revoke("crm")
    assert not file.revoke("crm")
    second = file.create("crm", "reader")

    assert file.find(first) is None
    found = file.find(second)
    assert found is not None
    assert found.role == "reader"


def test_tokens_made_at_the_same_time_are_all_there(path: Path) -> None:
    threads = [
        threading.Thread(target=TokenFile(path).create, args=(f"program-{number}", "reader"))
        for number in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {token.name for token in TokenFile(path).tokens()} == {f"program-{n}" for n in range(16)}


def test_what_a_process_left_that_died_while_it_wrote_does_no_harm(file: TokenFile, path: Path) -> None:
    left = path.with_name("api-tokens.json.new")
    left.write_text("half of")
    left.chmod(0o644)

    secret = file.create("crm", "agent")

    assert file.find(secret) is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def _not_json(path: Path) -> None:
    path.write_text("no JSON")


def _not_utf8(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")


def _another_shape(path: Path) -> None:
    path.write_text('{"tokens": [{"name": "crm"}]}')


def _a_list(path: Path) -> None:
    path.write_text("[]")


def _an_unknown_role(path: Path) -> None:
    fields = {"name": "crm", "role": "king", "sha256": "0", "created_at": 0, "expires_at": None}
    path.write_text(json.dumps({"tokens": [fields]}))


def _a_directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    "spoil",
    [_not_json, _not_utf8, _another_shape, _a_list, _an_unknown_role, _a_directory],
    ids=lambda f: f.__name__,
)
def test_a_file_that_cannot_be_read_lets_nobody_in(
    file: TokenFile, path: Path, spoil: Callable[[Path], None]
) -> None:
    secret = file.create("crm", "agent")
    path.unlink()
    spoil(path)

    with pytest.raises(RecordsUnreadable, match=r"api-tokens\.json"):
        file.find(secret)
    with pytest.raises(RecordsUnreadable):
        file.create("other", "agent")


def test_a_file_that_can_be_read_again_is(file: TokenFile, path: Path) -> None:
    secret = file.create("crm", "agent")
    good = path.read_text()
    path.write_text("no JSON")
    with pytest.raises(RecordsUnreadable):
        file.find(secret)

    path.write_text(good)

    assert file.find(secret) is not None


def test_each_role_may_do_all_that_those_before_it_may() -> None:
    for held, role in enumerate(ROLES):
        token = Token("crm", role, "", 0)
        assert [token.may(needed) for needed in ROLES] == [place <= held for place in range(len(ROLES))]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)

    with pytest.raises(OSError, match="closed"):
        TokenFile(closed / "api-tokens.json").create("crm", "agent")

"""The file of the dashboard's users: who is found in it, and who gets in by it."""

from __future__ import annotations

import json
import stat
import threading
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest

from api import users as module
from api.record_file import RecordsUnreadable
from api.users import SHARED, UnfitForUser, UserExists, UserFile

PASSWORD = "a good password"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "dashboard-users.json"


@pytest.fixture
def file(path: Path) -> UserFile:
    return UserFile(path)


def test_a_user_is_let_in_by_name_and_password_and_by_nothing_else(file: UserFile) -> None:
    file.create("Maria", "agent", PASSWORD)
    file.create("João da Silva", "reader", "another password")

    for name in ("Maria", "maria", " MARIA "):
        found = file.verify(name, PASSWORD)
        assert found is not None
        assert (found.name, found.role) == ("Maria", "agent")
    for name, wrong in (
        ("Maria", "another password"),
        ("Maria", ""),
        ("Maria", PASSWORD + " "),
        ("Maria", PASSWORD.upper()),
        ("", PASSWORD),
        ("nobody", PASSWORD),
    ):
        assert file.verify(name, wrong) is None, name


def test_accents_count_as_people_see_them_and_not_as_they_are_stored(file: UserFile) -> None:
    file.create(unicodedata.normalize("NFD", "João"), "agent", unicodedata.normalize("NFD", "açaí é bom"))

    assert file.verify(unicodedata.normalize("NFC", "joão"), unicodedata.normalize("NFC", "açaí é bom"))
    assert [user.name for user in file.users()] == [unicodedata.normalize("NFC", "João")]


def test_the_file_has_no_password_and_is_its_owners_alone(file: UserFile, path: Path) -> None:
    file.create("maria", "agent", PASSWORD)
    file.create("joana", "agent", PASSWORD)

    assert PASSWORD not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    one, another = (user.password for user in file.users())
    assert one != another, "the same password with another salt"
    assert one.startswith("$scrypt$ln=14,r=8,p=5$")


def test_a_name_that_is_nobodys_takes_as_long_as_a_wrong_password(
    file: UserFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise the time would tell who has an account. The cost is that of scrypt alone."""
    file.create("maria", "agent", PASSWORD)
    calls: list[tuple[int, int]] = []
    scrypt = module._scrypt

    def counted(password: str, salt: bytes) -> bytes:
        calls.append((len(password), len(salt)))
        return scrypt(password, salt)

    monkeypatch.setattr(module, "_scrypt", counted)
    for name in ("maria", "nobody"):
        assert file.verify(name, "wrong one") is None

    assert calls == [(9, 16), (9, 16)]


def test_a_change_of_another_process_is_seen_at_once(file: UserFile, path: Path) -> None:
    other = UserFile(path)
    other.create("maria", "agent", PASSWORD)
    assert file.verify("maria", PASSWORD) is not None

    assert other.set_role("MARIA", "admin")
    assert [user.role for user in file.users()] == ["admin"]
    assert other.set_password("maria", "a newer password")
    assert file.verify("maria", PASSWORD) is None
    assert file.verify("maria", "a newer password") is not None
    assert other.delete("maria")
    assert file.users() == []
    for change in (other.delete("maria"), other.set_role("maria", "admin")):
        assert not change
    assert not other.set_password("maria", PASSWORD)


def test_a_name_is_used_once_however_it_is_capitalised(file: UserFile) -> None:
    file.create("maria", "agent", PASSWORD)
    with pytest.raises(UserExists, match="MARIA"):
        file.create("MARIA", "admin", PASSWORD)
    assert [user.role for user in file.users()] == ["agent"]


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 65, *SHARED, "Operator"])
def test_a_name_that_cannot_be_a_users_is_refused(file: UserFile, path: Path, name: str) -> None:
    with pytest.raises(UnfitForUser):
        file.create(name, "agent", PASSWORD)
    assert not path.exists()


def test_a_short_password_is_refused(file: UserFile) -> None:
    with pytest.raises(UnfitForUser, match="8 characters"):
        file.create("maria", "agent", "1234567")
    file.create("maria", "agent", PASSWORD)
    with pytest.raises(UnfitForUser):
        file.set_password("maria", "1234567")
    assert file.verify("maria", PASSWORD) is not None


def test_users_made_at_the_same_time_are_all_there(path: Path) -> None:
    threads = [
        threading.Thread(target=UserFile(path).create, args=(f"person {number}", "reader", PASSWORD))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {user.name for user in UserFile(path).users()} == {f"person {number}" for number in range(8)}


def _fields(**changed: object) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        document = json.loads(path.read_text())
        document["users"][0] |= changed
        path.write_text(json.dumps(document))

    return spoil


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_text("no JSON"),
        lambda path: path.write_text("[]"),
        lambda path: path.write_text('{"users": [{"name": "maria"}]}'),
        _fields(role="king"),
        _fields(role=["admin"]),
        _fields(password=PASSWORD),
        _fields(password=None),
        _fields(name=""),
        _fields(name="operator"),
        _fields(more="than is known"),
    ],
)
def test_a_file_that_cannot_be_read_lets_nobody_in(
    file: UserFile, path: Path, spoil: Callable[[Path], object]
) -> None:
    file.create("maria", "agent", PASSWORD)
    spoil(path)

    for use in (
        lambda: file.verify("maria", PASSWORD),
        lambda: file.verify("nobody", PASSWORD),
        lambda: file.create("joana", "agent", PASSWORD),
        lambda: file.delete("maria"),
    ):
        with pytest.raises(RecordsUnreadable, match=r"users in .*dashboard-users\.json"):
            use()

"""Where a database may live, read from tables as the kernel writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from brokers.errors import UnsupportedDatabase
from brokers.sqlite import SQLiteBackend
from brokers.sqlite.storage.filesystem import refuse_network_filesystem

ROOT = "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw"


def mounted(at: str, kind: str, *, source: str = "server:/export") -> str:
    """A line of mountinfo, with an optional field or two as the kernel has them."""
    return f"36 22 0:32 / {at} rw,relatime shared:21 master:1 - {kind} {source} rw,vers=4.2"


Refuse = Callable[..., None]


@pytest.fixture
def refuse(tmp_path: Path) -> Refuse:
    """Asks about a path, given the lines of the mount table."""

    def refuse(path: str, *lines: str) -> None:
        table = tmp_path / "mountinfo"
        table.write_text("\n".join([ROOT, *lines]) + "\n", encoding="utf-8")
        refuse_network_filesystem(Path(path), mounts=table)

    return refuse


@pytest.mark.parametrize(
    "kind", ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse", "fuse.sshfs", "fuse.glusterfs"]
)
def test_network_filesystems_are_refused(refuse: Refuse, kind: str) -> None:
    with pytest.raises(UnsupportedDatabase, match=kind):
        refuse("/mnt/share/queue.db", mounted("/mnt/share", kind))


@pytest.mark.parametrize("kind", ["ext4", "xfs", "btrfs", "zfs", "tmpfs", "overlay", "fuseblk"])
def test_local_filesystems_are_fine(refuse: Refuse, kind: str) -> None:
    refuse("/mnt/disk/queue.db", mounted("/mnt/disk", kind))


def test_only_the_mount_the_path_lies_on_counts(refuse: Refuse) -> None:
    share = mounted("/mnt/share", "nfs4")
    refuse("/var/lib/queue.db", share)
    refuse("/mnt/share-of-something-else/queue.db", share)
    refuse("/mnt/share/local/queue.db", share, mounted("/mnt/share/local", "ext4"))
    with pytest.raises(UnsupportedDatabase):
        refuse("/mnt/share/deep/below/queue.db", share)


def test_a_later_mount_covers_an_earlier_one(refuse: Refuse) -> None:
    refuse("/mnt/queue.db", mounted("/mnt", "nfs4"), mounted("/mnt", "ext4"))
    with pytest.raises(UnsupportedDatabase):
        refuse("/mnt/queue.db", mounted("/mnt", "ext4"), mounted("/mnt", "nfs4"))


@pytest.mark.parametrize(
    ("directory", "in_the_table"),
    [
        ("/mnt/my share", r"/mnt/my\040share"),
        ("/mnt/a\ttab", r"/mnt/a\011tab"),
        ("/mnt/back\\slash", r"/mnt/back\134slash"),
        ("/mnt/Área", "/mnt/Área"),
        ("/mnt/共有", "/mnt/共有"),
    ],
)
def test_names_of_every_kind_are_understood(refuse: Refuse, directory: str, in_the_table: str) -> None:
    with pytest.raises(UnsupportedDatabase):
        refuse(f"{directory}/queue.db", mounted(in_the_table, "nfs4"))


def test_a_link_is_followed(refuse: Refuse, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("/mnt/share")
    with pytest.raises(UnsupportedDatabase):
        refuse(f"{link}/queue.db", mounted("/mnt/share", "nfs4"))


def test_without_a_table_all_is_allowed(tmp_path: Path) -> None:
    refuse_network_filesystem(tmp_path / "queue.db", mounts=tmp_path / "no such table")


def test_this_machine_can_be_asked(tmp_path: Path) -> None:
    refuse_network_filesystem(tmp_path / "queue.db")


@pytest.mark.parametrize("path", ["", ":memory:"])
def test_memory_is_not_durable(path: str) -> None:
    with pytest.raises(UnsupportedDatabase, match="needs a file"):
        SQLiteBackend(path)

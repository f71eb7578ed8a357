"""Refuses file systems on which SQLite's promises do not hold."""

from __future__ import annotations

from pathlib import Path

from ...errors import UnsupportedDatabase

#: File systems whose file locks or shared memory do not hold what SQLite's WAL needs of them
#: (https://www.sqlite.org/wal.html: all processes must be on the same host).
NETWORK_FILESYSTEMS = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre"}
)

MOUNTS = Path("/proc/self/mountinfo")


def refuse_network_filesystem(path: Path, *, mounts: Path = MOUNTS) -> None:
    """Raise where `path` lies on a file system on which SQLite's promises do not hold.

    Parameters:
      path: the database file, which need not exist yet.
      mounts: a table in the format of proc(5)'s mountinfo. Without one (not Linux) every file system is
        allowed.

    Raises:
      UnsupportedDatabase: NFS, CIFS, FUSE or the like.
    """
    if not mounts.exists():
        return
    resolved = path.resolve()
    kind = _filesystem_of(resolved, mounts.read_text())
    if kind in NETWORK_FILESYSTEMS or kind.split(".")[0] == "fuse":
        raise UnsupportedDatabase(
            f"{resolved} is on a {kind} filesystem, where SQLite can lose or corrupt messages. "
            "Put the database on a local disk."
        )


def _filesystem_of(path: Path, mounts: str) -> str:
    best, kind = "", ""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        # proc(5): octal escapes stand for spaces and the like. Other characters must pass as they are.
        point = before.split()[4].encode("latin-1", "backslashreplace").decode("unicode_escape")
        # A later line covers an earlier one at the same mount point, hence >=.
        if path.is_relative_to(point) and len(point) >= len(best):
            best, kind = point, after.split()[0]
    return kind

"""Where an SQLite database may live: on a disk of this machine that nothing else synchronises.

WAL keeps its index in shared memory, which a second host cannot see (https://sqlite.org/wal.html:
"WAL does not work over a network filesystem"), and a sync client copies the three files of one
database at three different moments.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from pathlib import Path

from sweeper.errors import StateError

_NETWORK = frozenset(
    {
        "9p",
        "afpfs",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "nfs",
        "nfs3",
        "nfs4",
        "ocfs2",
        "orangefs",
        "smb2",
        "smb3",
        "smbfs",
        "vboxsf",
        "webdav",
    }
)
# FUSE is refused as a whole but for these, which only rearrange folders of this machine.
_LOCAL_FUSE = frozenset({"fuse.fuse-overlayfs", "fuse.mergerfs", "fuse.bindfs", "fuse.lxcfs"})
_SYNC_FOLDER = re.compile(
    r"(dropbox( \(.+\))?|onedrive( - .+)?|google ?drive.*|icloud ?drive|mobile documents"
    r"|cloudstorage|box sync|nextcloud|pclouddrive)",
    re.IGNORECASE,
)
_ESCAPED = re.compile(r"\\([0-7]{3})")


def refuse_network_filesystem(path: Path, *, mounts: str | None = None) -> None:
    """Refuse a database file at `path` if it lies on a network or a synchronised folder.

    Args:
        path: The file, which need not exist yet.
        mounts: Text of a mount table; None reads this machine's.

    Raises:
        StateError: It does; the hint offers a local path.
    """
    reason = _why_not(path, mounts)
    if reason is None:
        return
    raise StateError(
        f"{path} lies {reason}, where SQLite's write-ahead log is not safe.",
        hint="Keep the database on a local disk: set "
        f"SWEEPER_STORAGE=sqlite:///{local_path(path, mounts=mounts)}, "
        "or use PostgreSQL (`storage: postgresql+psycopg://…`).",
    )


def local_path(path: Path, *, mounts: str | None = None) -> Path:
    """Return a place on a local disk for the database that was wanted at `path`."""
    whole = _real(path)
    digest = hashlib.sha256(str(whole).encode()).hexdigest()[:8]
    study = whole.parent.parent.name or "study"
    roots = [
        Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"),
        Path("/var/tmp"),  # it survives a reboot, unlike /tmp
    ]
    root = next((root for root in roots if _why_not(root, mounts) is None), roots[-1])
    return root / "sweeper" / f"{study}-{digest}" / whole.name


def _why_not(path: Path, mounts: str | None) -> str | None:
    whole = _real(path)
    for part in whole.parts:
        if _SYNC_FOLDER.fullmatch(part):
            return f"in the synchronised folder {part!r}"
    kind = _filesystem(whole, _mount_table() if mounts is None else mounts)
    if kind in _NETWORK or (kind.startswith("fuse.") and kind not in _LOCAL_FUSE):
        return f"on a network filesystem ({kind})"
    return None


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))


def _filesystem(path: Path, mounts: str) -> str:
    """Return the type of the filesystem that holds `path`, "" where the table does not say."""
    deepest, kind = -1, ""
    for point, name in _mount_points(mounts):
        # A later line covers an earlier one on the same point.
        if path.is_relative_to(point) and len(point.parts) >= deepest:
            deepest, kind = len(point.parts), name
    return kind


def _mount_points(mounts: str) -> list[tuple[Path, str]]:
    points = []
    for line in mounts.splitlines():
        fields = line.split(" ")
        if len(fields) >= 3:
            point = _ESCAPED.sub(lambda match: chr(int(match[1], 8)), fields[1])
            kind = "fuse.unnamed" if fields[2] == "fuse" else fields[2]
            points.append((Path(point), kind))
    return points


def _mount_table() -> str:
    try:
        return Path("/proc/self/mounts").read_text(errors="replace")
    except FileNotFoundError:
        return _mount_table_of_bsd()


def _mount_table_of_bsd() -> str:
    """Return what `mount` prints on macOS in the form of Linux's table."""
    said = subprocess.run(["/sbin/mount"], capture_output=True, text=True, check=True).stdout
    lines = re.findall(r"^(.+?) on (.+) \(([^,)]+)", said, re.MULTILINE)
    return "\n".join(f"- {point.replace(' ', chr(92) + '040')} {kind}" for _, point, kind in lines)

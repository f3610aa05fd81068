from __future__ import annotations

from pathlib import Path

import pytest

from sweeper.errors import StateError
from sweeper.state.database import open_database
from sweeper.state.database import sqlite_url
from sweeper.state.filesystem import local_path
from sweeper.state.filesystem import refuse_network_filesystem

MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/export /mnt/nfs nfs4 rw 0 0
//server/share /mnt/smb cifs rw 0 0
ada@host:/ /mnt/sshfs fuse.sshfs rw 0 0
bucket /mnt/bucket fuse rw 0 0
drvfs /mnt/c 9p rw 0 0
server:/blanks /mnt/with\\040blank nfs rw 0 0
/dev/sdb1 /mnt/nfs/disk ext4 rw 0 0
server:/a /mnt/covered nfs rw 0 0
/dev/sdc1 /mnt/covered xfs rw 0 0
overlay /mnt/overlay fuse.fuse-overlayfs rw 0 0
/dev/sdd1 /mnt/ntfs fuseblk rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/mnt/nfs/study/runs/sweep.db", "nfs4"),
        ("/mnt/smb/sweep.db", "cifs"),
        ("/mnt/sshfs/deep/er/sweep.db", "fuse.sshfs"),
        ("/mnt/bucket/sweep.db", "fuse"),
        ("/mnt/c/Users/ada/sweep.db", "9p"),
        ("/mnt/with blank/sweep.db", "nfs"),
    ],
)
def test_a_network_filesystem_is_refused_by_name(path: str, kind: str) -> None:
    """The sentence says what it is, the hint where to go."""
    with pytest.raises(StateError, match=kind) as caught:
        refuse_network_filesystem(Path(path), mounts=MOUNTS)
    assert path in caught.value.message
    assert f"SWEEPER_STORAGE=sqlite:///{local_path(Path(path), mounts=MOUNTS)}" in str(
        caught.value.hint
    )


@pytest.mark.parametrize(
    "path",
    [
        "/home/ada/study/runs/sweep.db",
        "/mnt/nfs/disk/sweep.db",
        "/mnt/nfsish/sweep.db",
        "/mnt/covered/sweep.db",
        "/mnt/overlay/sweep.db",
        "/mnt/ntfs/sweep.db",
    ],
)
def test_a_local_disk_is_accepted(path: str) -> None:
    """Also one mounted inside or over a network share."""
    refuse_network_filesystem(Path(path), mounts=MOUNTS)


@pytest.mark.parametrize(
    "folder",
    [
        "Dropbox",
        "Dropbox (Example Inc)",
        "OneDrive",
        "OneDrive - Example",
        "Google Drive",
        "GoogleDrive-ada@example.com",
        "Library/Mobile Documents/com~apple~CloudDocs",
        "Library/CloudStorage/Box-Box",
        "Nextcloud",
    ],
)
def test_a_synchronised_folder_is_refused(folder: str) -> None:
    """A sync client copies the files of a database at different moments."""
    with pytest.raises(StateError, match="synchronised folder"):
        refuse_network_filesystem(Path("/home/ada") / folder / "s/runs/sweep.db", mounts=MOUNTS)


@pytest.mark.parametrize("folder", ["dropbox-client", "my-onedrive", "googledocs", "box"])
def test_a_folder_that_only_sounds_like_one_is_accepted(folder: str) -> None:
    """Names are compared whole."""
    refuse_network_filesystem(Path("/home/ada") / folder / "sweep.db", mounts=MOUNTS)


def test_a_link_into_a_synchronised_folder_does_not_hide_it(tmp_path: Path) -> None:
    """Where the file really lies is what counts; nothing is created there."""
    (tmp_path / "Dropbox").mkdir()
    (tmp_path / "here").symlink_to(tmp_path / "Dropbox")
    with pytest.raises(StateError, match="Dropbox"):
        open_database(sqlite_url(tmp_path / "here" / "runs" / "sweep.db"))
    assert list((tmp_path / "Dropbox").iterdir()) == []


def test_two_studies_are_offered_two_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """The place on offer is local even where the home folder is not."""
    monkeypatch.setenv("XDG_DATA_HOME", "/mnt/nfs/home/ada/share")
    offered = {
        local_path(Path(f"/mnt/nfs/{team}/digits/runs/sweep.db"), mounts=MOUNTS)
        for team in ("a", "b")
    }
    assert len(offered) == 2
    assert all(str(path).startswith("/var/tmp/sweeper/digits-") for path in offered)

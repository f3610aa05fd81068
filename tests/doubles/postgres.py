"""A real PostgreSQL server of the test's own: no TCP port, gone when the test run ends."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path


def binaries() -> Path | None:
    """Return the folder of initdb and pg_ctl (newest version), or None where there is none."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    on_path = shutil.which("initdb")
    if on_path:
        folders.append(Path(on_path).resolve().parent)
    usable = [folder for folder in folders if (folder / "pg_ctl").exists()]
    return max(usable, key=lambda folder: folder.parent.name.zfill(4), default=None)


class PostgresServer:
    """A server that listens on a socket in a temporary folder only."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._user = _unprivileged()
        # Not pytest's folder: it is closed to other users, and the socket's path must be short.
        self.folder = Path(tempfile.mkdtemp(prefix="sweeper-pg-", dir="/tmp"))
        self._count = 0

    def start(self) -> None:
        """Make a cluster and start the server; returns when it accepts connections."""
        if self._user:
            os.chown(self.folder, self._user.pw_uid, self._user.pw_gid)
        data = str(self.folder / "data")
        self._run("initdb", "-D", data, "-U", "sweeper", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-k {self.folder} -c listen_addresses='' -c fsync=off -c max_connections=100"
        log = str(self.folder / "log")
        self._run("pg_ctl", "-D", data, "-w", "-l", log, "-o", options, "start")

    def stop(self) -> None:
        """Stop the server, whoever is connected, and remove its folder."""
        self._run("pg_ctl", "-D", str(self.folder / "data"), "-m", "immediate", "-w", "stop")
        shutil.rmtree(self.folder, ignore_errors=True)

    def restart(self) -> None:
        """Cut all connections by a restart."""
        data = str(self.folder / "data")
        self._run("pg_ctl", "-D", data, "-m", "fast", "-w", "-l", f"{self.folder}/log", "restart")

    def new_database(self) -> str:
        """Make an empty place and return its URL.

        It is a schema of its own in one database: making a thousand of them costs nothing, and
        whoever opens the URL sees no other tables.
        """
        import psycopg

        self._count += 1
        name = f"t{self._count}"
        with psycopg.connect(f"host={self.folder} user=sweeper dbname=postgres") as connection:
            connection.execute(f"CREATE SCHEMA {name}")  # type: ignore[arg-type]
        options = f"host={self.folder}&options=-csearch_path%3D{name}"
        return f"postgresql+psycopg://sweeper@/postgres?{options}"

    def _run(self, program: str, *arguments: str) -> None:
        who = self._user
        # A file, not a pipe: the server that pg_ctl starts would keep a pipe open.
        with (self.folder / "said").open("w") as said:
            done = subprocess.run(
                [self._programs / program, *arguments],
                user=who.pw_name if who else None,
                group=who.pw_gid if who else None,
                extra_groups=[] if who else None,
                cwd=self.folder,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
                stdout=said,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            words = (self.folder / "said").read_text()
            raise RuntimeError(f"{program} failed ({done.returncode}): {words}")


def _unprivileged() -> pwd.struct_passwd | None:
    """Return somebody to run the server as: it refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    return names.get("postgres") or names["nobody"]

"""A script with its files as one archive that says the same thing everywhere.

The archive is a gzipped tar, the same bytes for the same files, so its digest names it. Up to
256 KiB (as text) it travels in the arguments of the job's command, where no shell can touch it;
above that it is uploaded once and mounted. `aboard.py` unpacks it inside the job.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import tarfile
import zipfile
from collections.abc import Iterator
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sweeper.errors import ScriptError

INLINE_LIMIT = 256 * 1024  # bytes of text in the command
ARGUMENT_LIMIT = 131_071  # bytes of one argument (Linux: MAX_ARG_STRLEN, 32 pages, less the zero)
ARCHIVE_LIMIT = 64 * 1024 * 1024
LEFT_OUT = {".git", ".venv", "__pycache__", "runs", ".mypy_cache", ".pytest_cache"}
RUNTIME = "runtime.zip"
FILES = "files"


@dataclass(frozen=True, slots=True)
class Bundle:
    """One archive.

    Attributes:
        data: Its bytes.
        digest: SHA-256 of them, hexadecimal.
    """

    data: bytes
    digest: str

    def as_arguments(self) -> list[str] | None:
        """Return the archive as command arguments, or None if it is too large for that."""
        parts = self.as_text(ARGUMENT_LIMIT)
        return parts if sum(map(len, parts)) <= INLINE_LIMIT else None

    def as_text(self, limit: int) -> list[str]:
        """Return the archive as base64, in parts of at most `limit` bytes."""
        text = base64.b64encode(self.data).decode("ascii")
        return [text[i : i + limit] for i in range(0, len(text), limit)]


def pack(folder: Path, files: Sequence[str]) -> Bundle:
    """Pack files of a folder together with what runs them inside a job.

    Args:
        folder: Folder of program.md.
        files: Paths relative to it; folders go with everything in them.

    Raises:
        ScriptError: A file is missing, lies outside the folder, or all together are too large.
    """
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0, compresslevel=9) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        _add(tar, RUNTIME, runtime())
        for name, data in sorted(_contents(folder, files).items()):
            _add(tar, f"{FILES}/{name}", data)
    data = out.getvalue()
    return Bundle(data, hashlib.sha256(data).hexdigest())


def runtime() -> bytes:
    """Return a zip of the modules that run inside a job, under their package paths."""
    package = Path(__file__).resolve().parent.parent
    names = ["__init__.py", "jobs/__init__.py", "jobs/metrics.py", "jobs/aboard.py"]
    inside = sorted((package / "jobs" / "inside").rglob("*.py"))
    names += [path.relative_to(package).as_posix() for path in inside]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as zipped:
        for name in names:
            # A fixed date keeps the digest the same; zip knows none before 1980.
            entry = zipfile.ZipInfo(f"sweeper/{name}", (1980, 1, 1, 0, 0, 0))
            zipped.writestr(entry, (package / name).read_bytes())
    return out.getvalue()


def _contents(folder: Path, files: Sequence[str]) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    size = 0
    for name in files:
        for path in paths(folder, name):
            relative = path.relative_to(folder).as_posix()
            contents[relative] = path.read_bytes()
            size += len(contents[relative])
            if size > ARCHIVE_LIMIT:
                raise ScriptError(
                    f"The files that go along are larger than {ARCHIVE_LIMIT >> 20} MiB.",
                    key="files",
                    hint="put data into a dataset repository and mount it with `volumes`",
                )
    return contents


def paths(folder: Path, name: str) -> Iterator[Path]:
    """Yield the files behind a path relative to a folder, but for what never goes along.

    Raises:
        ScriptError: There is nothing there, or it lies outside the folder.
    """
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ScriptError(
            f"{name} lies outside of {folder}.", key="files", hint="copy it beside program.md"
        )
    if path.is_file():
        yield path
    elif path.is_dir():
        for child in sorted(path.iterdir()):
            if child.name not in LEFT_OUT and not child.name.startswith(".env"):
                yield from paths(folder, str(child.relative_to(folder)))
    else:
        raise ScriptError(f"{name} does not exist in {folder}.", key="files")


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    entry.mode = 0o644
    tar.addfile(entry, io.BytesIO(data))

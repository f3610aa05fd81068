"""How repositories and files on GitHub are named on the command line."""

from __future__ import annotations

import argparse
import re
from typing import NamedTuple
from urllib.parse import quote
from urllib.parse import unquote

_REPO = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[\w.-]{1,100}")
_OWNER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}")
_BLOB = re.compile(
    r"https?://github\.com/(?P<repo>[^/]+/[^/]+)/(?:blob|raw|tree)/(?P<ref>[^/]+)/(?P<path>[^#?]+)"
    r"(?:#L(?P<start>\d+)(?:-L(?P<end>\d+))?)?"
)


class Place(NamedTuple):
    """A file in a repository, as a GitHub page names it."""

    repo: str
    ref: str
    path: str
    lines: str | None


def repo(text: str) -> str:
    """Return `owner/name` from itself or from a page's address."""
    name = re.sub(r"^(https?://)?(www\.)?github\.com/", "", text.strip()).removesuffix(".git")
    name = "/".join(name.strip("/").split("/")[:2])
    if not _REPO.fullmatch(name):
        raise argparse.ArgumentTypeError(f"is no repository (owner/name): {text!r}")
    return name


def owner(text: str) -> str:
    """Return an owner's name from itself or from a page's address."""
    name = re.sub(r"^(https?://)?(www\.)?github\.com/", "", text.strip()).strip("/@")
    if not _OWNER.fullmatch(name):
        raise argparse.ArgumentTypeError(f"is no user or organisation: {text!r}")
    return name


def place(text: str) -> Place | None:
    """Return what a file's page names, or None if `text` is no such address."""
    match = _BLOB.fullmatch(text.strip())
    if match is None:
        return None
    start, end = match["start"], match["end"]
    lines = f"{start}-{end or start}" if start else None
    return Place(repo(match["repo"]), match["ref"], unquote(match["path"]), lines)


def line_range(text: str) -> tuple[int, int | None]:
    """Return first and last line of `A-B`, `A-` or `A`."""
    match = re.fullmatch(r"(\d+)(?:(-)(\d+)?)?", text.strip())
    first = int(match[1]) if match else 0
    last = int(match[3]) if match and match[3] else (None if match and match[2] else first)
    if first < 1 or (last is not None and last < first):
        raise argparse.ArgumentTypeError(f"lines are A-B, A- or A, counted from 1, not {text!r}")
    return first, last


def in_path(text: str) -> str:
    """Return a file's path as a part of an API address."""
    return quote("/".join(part for part in text.split("/") if part not in ("", ".", "..")))

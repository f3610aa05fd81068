"""Repositories: commits, branches, tags, files, gates; enough for what a sweep publishes."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from tests.doubles.hub.refusal import Refusal

KINDS = {"models": "model", "datasets": "dataset", "spaces": "space"}


@dataclass
class Repo:
    """One repository: commits are snapshots of all files."""

    kind: str
    id: str
    private: bool = False
    gated: str | bool = False
    granted: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    def commit(self, branch: str, files: dict[str, bytes], title: str) -> str:
        """Make `files` the newest snapshot of a branch and return its id."""
        oid = hashlib.sha1(secrets.token_bytes(16)).hexdigest()
        self.commits[oid] = files
        self.branches[branch] = oid
        self.history.append({"oid": oid, "branch": branch, "title": title})
        return oid

    def resolve(self, revision: str) -> str:
        """Return the commit that a branch, tag or commit id names.

        Raises:
            Refusal: 404 if there is none.
        """
        for oid in (self.branches.get(revision), self.tags.get(revision)):
            if oid:
                return oid
        matching = [oid for oid in self.commits if len(revision) >= 7 and oid.startswith(revision)]
        if not matching:
            raise Refusal(404, f"Invalid rev id: {revision}", code="RevisionNotFound")
        return matching[0]


class Repos:
    """All repositories."""

    def __init__(self) -> None:
        self.all: dict[tuple[str, str], Repo] = {}
        self.blobs: dict[str, bytes] = {}
        self.lfs_above = 10 * 1024 * 1024

    def add(self, kind: str, repo_id: str, **settings: Any) -> Repo:
        """Create a repository with an empty first commit."""
        if (kind, repo_id) in self.all:
            raise Refusal(409, "You already created this repo")
        repo = self.all[kind, repo_id] = Repo(kind, repo_id, **settings)
        repo.commit("main", {".gitattributes": b""}, "initial commit")
        return repo

    def get(self, kind: str, repo_id: str) -> Repo:
        """Return a repository.

        Raises:
            Refusal: 404 if there is none.
        """
        repo = self.all.get((kind, repo_id))
        if repo is None:
            raise Refusal(404, "Repository not found", code="RepoNotFound")
        return repo

    def info(self, repo: Repo, revision: str) -> dict[str, Any]:
        """Return the body of GET /api/{kind}s/{id}[/revision/{revision}]."""
        oid = repo.resolve(revision)
        names = sorted(repo.commits[oid])
        return {
            "_id": "1" * 24, "id": repo.id, "modelId": repo.id, "sha": oid,
            "private": repo.private, "gated": repo.gated, "disabled": False, "tags": [],
            "downloads": 0, "likes": 0, "author": repo.id.split("/")[0],
            "createdAt": "2026-01-01T00:00:00.000Z", "lastModified": "2026-01-01T00:00:00.000Z",
            "siblings": [{"rfilename": name} for name in names],
        }  # fmt: skip

    def refs(self, repo: Repo) -> dict[str, Any]:
        """Return the body of GET …/refs."""
        return {
            "branches": [_ref("heads", n, o) for n, o in repo.branches.items()],
            "tags": [_ref("tags", n, o) for n, o in repo.tags.items()],
            "converts": [],
        }

    def preupload(self, repo: Repo, revision: str, body: dict[str, Any]) -> dict[str, Any]:
        """Return how each file shall come: in the commit, or as a large file before it."""
        repo.resolve(revision)
        return {"files": [self._mode(item) for item in body["files"]]}

    def _mode(self, item: dict[str, Any]) -> dict[str, Any]:
        sample = base64.b64decode(item["sample"])
        large = item["size"] > self.lfs_above or b"\0" in sample
        mode = "lfs" if large else "regular"
        return {"path": item["path"], "uploadMode": mode, "shouldIgnore": False}

    def apply(self, repo: Repo, branch: str, lines: bytes) -> str:
        """Carry out the NDJSON of POST …/commit/{branch} and return the new commit.

        Raises:
            Refusal: 400 for what is malformed, 404 for a missing file, 412 for a moved parent.
        """
        head = repo.resolve(branch)
        files, title = dict(repo.commits[head]), ""
        for line in lines.splitlines():
            item = json.loads(line)
            key, value = item["key"], item["value"]
            if key == "header":
                title = value["summary"]
                if value.get("parentCommit") not in (None, head):
                    raise Refusal(
                        412, "A commit has happened since. Please refresh and try again."
                    )
            else:
                self._change(files, key, value)
        return repo.commit(branch, files, title)

    def _change(self, files: dict[str, bytes], key: str, value: dict[str, Any]) -> None:
        path = value["path"]
        if key == "file" and value["encoding"] == "base64":
            files[path] = base64.b64decode(value["content"], validate=True)
        elif key == "lfsFile" and value["oid"] in self.blobs:
            files[path] = self.blobs[value["oid"]]
        elif key == "deletedFile":
            if files.pop(path, None) is None:
                raise Refusal(404, "A file with this name doesn't exist", code="EntryNotFound")
        elif key == "deletedFolder":
            for name in [n for n in files if n.startswith(path.rstrip("/") + "/")]:
                del files[name]
        else:
            raise Refusal(400, f"commit: bad line {key}")


def _ref(kind: str, name: str, oid: str) -> dict[str, str]:
    return {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": oid}

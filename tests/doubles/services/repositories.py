"""The Hub's repository interface: commits with LFS, refs, discussions, settings."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from tests.doubles.services.loopback import Refused
from tests.doubles.services.loopback import Reply
from tests.doubles.services.loopback import Seen
from tests.doubles.services.loopback import as_json
from tests.doubles.services.loopback import as_text
from tests.doubles.services.loopback import expect
from tests.doubles.services.pages import public_pages

TOKEN = "hf_doubledoubledoubledoubledouble12"
_LFS_FROM = 1000


@dataclass
class Repository:
    """One repository: branches name commits, commits hold files."""

    commits: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"0" * 40: {}})
    branches: dict[str, str] = field(default_factory=lambda: {"main": "0" * 40})
    tags: dict[str, str] = field(default_factory=dict)
    discussions: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    lfs: set[str] = field(default_factory=set)


class Hub:
    """A double that also serves the public pages; storage stands on a port of its own."""

    def __init__(self) -> None:
        self.repositories: dict[str, Repository] = {}
        self.storage: dict[str, bytes] = {}
        self.storage_url = ""
        self.base = ""
        self.page = 2

    def __call__(self, seen: Seen) -> Reply:
        """Answer like huggingface.co."""
        given = seen.headers.get("authorization")
        if given not in (None, f"Bearer {TOKEN}"):
            return as_json({"error": "Invalid username or password."}, 401)
        if (found := public_pages(seen)) is not None:
            return found
        if seen.method != "GET" and given is None:
            return as_json({"error": "Invalid username or password."}, 401)
        return self._api(seen)

    def store(self, seen: Seen) -> Reply:
        """Answer like the storage host, which must never see a token."""
        if "authorization" in seen.headers:
            return as_json({"error": "leak"}, 500)
        if seen.method == "PUT":
            self.storage[seen.path.strip("/")] = seen.body
            return Reply(200)
        return Reply(200, self.storage[seen.path.strip("/")])

    def _api(self, seen: Seen) -> Reply:
        path = seen.path
        if path == "/api/repos/create" and seen.method == "POST":
            return self._create(seen)
        if path == "/api/validate-yaml":
            return as_json({"errors": [], "warnings": []})
        if match := re.fullmatch(r"/(?:(datasets|spaces)/)?([\w.-]+/[\w.-]+)\.git"
                                 r"/info/lfs/objects/batch", path):  # fmt: skip
            return self._batch(seen)
        if match := re.fullmatch(r"/(?:(datasets|spaces)/)?([\w.-]+/[\w.-]+)/resolve"
                                 r"/([^/]+)/(.+)", path):  # fmt: skip
            return self._resolve(seen, self._of(match[1] or "models", match[2]), match)
        match = re.fullmatch(r"/api/(models|datasets|spaces)/([\w.-]+/[\w.-]+)(/.*)?", path)
        if match is None:
            raise Refused(404, f"no such page {path}")
        return self._repository(seen, self._of(match[1], match[2]), match[3] or "", match)

    def _of(self, kind: str, name: str) -> Repository:
        key = f"{kind.rstrip('s')}/{name}"
        if key not in self.repositories:
            raise Refused(404, "Repository not found")
        return self.repositories[key]

    def _create(self, seen: Seen) -> Reply:
        body = seen.json()
        known = {"name", "organization", "visibility", "type", "sdk"}
        if set(body) - known or body["visibility"] not in ("private", "public"):
            raise Refused(400, "bad body")
        key = f"{body['type']}/{body['organization']}/{body['name']}"
        if key in self.repositories:
            return as_json({"error": "You already created this repo"}, 409)
        self.repositories[key] = Repository(settings={"visibility": body["visibility"]})
        return as_json({"url": f"{self.base}/{body['organization']}/{body['name']}"}, 200)

    def _repository(self, seen: Seen, repo: Repository, rest: str, match: re.Match[str]) -> Reply:
        word, _, name = rest.strip("/").partition("/")
        if word == "tree":
            return self._tree(seen, repo, name)
        if word == "refs":
            return self._refs(seen, repo)
        if word == "preupload":
            return _preupload(seen)
        if word == "commit":
            return self._commit(seen, repo, name)
        if word == "branch":
            return _branch(seen, repo, name)
        if word == "tag":
            return _tag(seen, repo, name)
        if word == "discussions":
            return self._discussions(seen, repo, name)
        if word == "settings" and seen.method == "PUT":
            if not set(seen.json()) <= {"visibility", "gated"}:
                raise Refused(400, "bad settings")
            repo.settings |= seen.json()
            return as_json(repo.settings)
        if not word:
            return as_json({"id": match[2], "gated": "manual", "tags": ["license:mit"],
                            "downloads": 5, "sha": repo.branches["main"]})  # fmt: skip
        raise Refused(404, "no such endpoint")

    def _files(self, repo: Repository, revision: str) -> tuple[str, dict[str, bytes]]:
        commit = repo.branches.get(revision) or repo.tags.get(revision) or revision
        if commit not in repo.commits:
            raise Refused(404, "Invalid rev id")
        return commit, repo.commits[commit]

    def _tree(self, seen: Seen, repo: Repository, name: str) -> Reply:
        expect(seen, "recursive expand cursor")
        revision, _, folder = name.partition("/")
        if revision == "refs":
            number, _, folder = folder.removeprefix("pr/").partition("/")
            revision = f"refs/pr/{number}"
        _, files = self._files(repo, revision)
        names = sorted(n for n in files if not folder or n.startswith(f"{folder}/"))
        if seen.query.get("recursive", "false") not in ("true", "1", "True"):
            depth = folder.count("/") + 1 if folder else 0
            names = [n for n in names if n.count("/") == depth]
        start = int(seen.query.get("cursor", 0))
        shown = names[start : start + self.page]
        reply = as_json([_file(n, files[n], repo) for n in shown])
        if start + self.page < len(names):
            query = f"recursive={seen.query.get('recursive')}&cursor={start + self.page}"
            reply.headers["Link"] = f'<{self.base}{seen.path}?{query}>; rel="next"'
        return reply

    def _resolve(self, seen: Seen, repo: Repository, match: re.Match[str]) -> Reply:
        commit, files = self._files(repo, match[3])
        if match[4] not in files:
            raise Refused(404, "Entry not found")
        body = files[match[4]]
        headers = {"X-Repo-Commit": commit, "X-Linked-Size": str(len(body))}
        if match[4] in repo.lfs:
            name = hashlib.sha256(body).hexdigest()
            self.storage[name] = body
            return Reply(302, b"", {**headers, "Location": f"{self.storage_url}/{name}"})
        if start := re.fullmatch(r"bytes=(\d+)-", seen.headers.get("range", "")):
            first = int(start[1])
            place = f"bytes {first}-{len(body) - 1}/{len(body)}"
            return Reply(206, body[first:], {**headers, "Content-Range": place})
        return Reply(200, body, headers)

    def _refs(self, seen: Seen, repo: Repository) -> Reply:
        expect(seen, "include_prs")
        found: dict[str, Any] = {
            "branches": [_ref(n, "heads", c) for n, c in repo.branches.items()],
            "tags": [_ref(n, "tags", c) for n, c in repo.tags.items()],
            "converts": [],
        }
        if "include_prs" in seen.query:
            found["pullRequests"] = [_ref(f"{d['num']}", "pr", "0" * 40) for d in repo.discussions]
        return as_json(found)

    def _batch(self, seen: Seen) -> Reply:
        objects = []
        for item in seen.json()["objects"]:
            upload = {"href": f"{self.storage_url}/{item['oid']}"}
            objects.append({**item, "actions": {"upload": upload}})
        reply = as_json({"transfer": "basic", "objects": objects})
        reply.headers["Content-Type"] = "application/vnd.git-lfs+json"
        return reply

    def _commit(self, seen: Seen, repo: Repository, revision: str) -> Reply:
        expect(seen, "create_pr")
        lines = [json.loads(line) for line in seen.body.splitlines()]
        files = dict(self._files(repo, revision)[1])
        for line in lines[1:]:
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.storage[value["oid"]]
                repo.lfs.add(value["path"])
            elif line["key"] == "deletedFile":
                del files[value["path"]]
            else:
                raise Refused(400, line["key"])
        commit = hashlib.sha1(seen.body).hexdigest()
        repo.commits[commit] = files
        answer = {"commitUrl": f"{self.base}/me/x/commit/{commit}", "commitOid": commit}
        if "create_pr" in seen.query:
            repo.discussions.append(_talk(len(repo.discussions) + 1, "From a commit", True))
            answer["pullRequestUrl"] = f"{self.base}/me/x/discussions/{len(repo.discussions)}"
        else:
            repo.branches[revision] = commit
        return as_json(answer)

    def _discussions(self, seen: Seen, repo: Repository, name: str) -> Reply:
        if not name and seen.method == "POST":
            body = seen.json()
            if set(body) != {"title", "description", "pullRequest"}:
                raise Refused(400, "bad body")
            repo.discussions.append(
                _talk(len(repo.discussions) + 1, body["title"], body["pullRequest"])
            )
            return as_json({"num": len(repo.discussions), "url": "x"})
        if not name:
            expect(seen, "type status author p")
            return _listed(seen, repo)
        number, _, verb = name.partition("/")
        if not number.isdigit() or not 0 < int(number) <= len(repo.discussions):
            raise Refused(404, "Discussion not found")
        return _discussion(seen, repo.discussions[int(number) - 1], verb)


def _talk(num: int, title: str, is_pr: bool) -> dict[str, Any]:
    return {
        "num": num, "title": title, "status": "draft" if is_pr else "open",
        "author": {"name": "me"}, "createdAt": "2026-01-01T00:00:00.000Z",
        "isPullRequest": is_pr, "repo": {"name": "me/x", "type": "model"},
        "changes": {"base": "refs/heads/main", "mergeCommitId": None} if is_pr else None,
        "filesWithConflicts": [], "diff": "+ a line" if is_pr else None,
        "events": [{"id": "e1", "type": "comment", "author": {"name": "me"},
                    "createdAt": "2026-01-01T00:00:00.000Z",
                    "data": {"latest": {"raw": "Hello", "html": ""}}}],
    }  # fmt: skip


def _listed(seen: Seen, repo: Repository) -> Reply:
    wanted = seen.query.get("type")
    found = [d for d in repo.discussions if wanted is None or
             d["isPullRequest"] == (wanted == "pull_request")]  # fmt: skip
    states = {"open": ("open", "draft"), "closed": ("closed", "merged")}
    if "status" in seen.query:
        found = [d for d in found if d["status"] in states[seen.query["status"]]]
    start = 10 * int(seen.query.get("p", 0))
    return as_json({"count": len(found), "start": start, "discussions": found[start : start + 10]})


def _discussion(seen: Seen, found: dict[str, Any], verb: str) -> Reply:
    if not verb:
        expect(seen, "diff")
        return as_json(found)
    body = json.loads(seen.body or b"null") or {}
    if verb == "merge":
        found["status"] = "merged"
        return as_text("OK", "text/plain")
    if verb == "status" and body["status"] in ("open", "closed"):
        found["status"] = body["status"]
        return as_json({"newStatus": {"id": "e2", "type": "status-change"}})
    if verb == "comment":
        found["events"].append({"id": "e3", "type": "comment", "author": {"name": "me"},
                                "data": {"latest": {"raw": body["comment"]}}})  # fmt: skip
        return as_json({"newMessage": {"id": "e3", "type": "comment"}})
    raise Refused(404, "no such verb")


def _branch(seen: Seen, repo: Repository, name: str) -> Reply:
    if seen.method == "DELETE":
        if repo.branches.pop(name, None) is None:
            raise Refused(404, "Branch not found")
        return Reply(200)
    if name in repo.branches:
        return as_json({"error": f"Reference already exists: {name}"}, 409)
    start = seen.json().get("startingPoint", "main")
    repo.branches[name] = repo.branches.get(start, start)
    return Reply(200)


def _tag(seen: Seen, repo: Repository, name: str) -> Reply:
    if seen.method == "DELETE":
        if repo.tags.pop(name, None) is None:
            raise Refused(404, "Tag not found")
        return Reply(200)
    tag = seen.json()["tag"]
    if tag in repo.tags:
        return as_json({"error": "Tag already exists"}, 409)
    repo.tags[tag] = repo.branches[name]
    return Reply(201)


def _ref(name: str, kind: str, commit: str) -> dict[str, str]:
    return {"name": name, "ref": f"refs/{kind}/{name}", "targetCommit": commit}


def _file(name: str, body: bytes, repo: Repository) -> dict[str, Any]:
    blob = hashlib.sha1(b"blob %d\x00" % len(body) + body).hexdigest()
    entry: dict[str, Any] = {"type": "file", "path": name, "size": len(body), "oid": blob}
    if name in repo.lfs:
        entry["lfs"] = {"oid": hashlib.sha256(body).hexdigest(), "size": len(body)}
    return entry


def _preupload(seen: Seen) -> Reply:
    expect(seen, "create_pr")
    files = [
        {"path": item["path"], "shouldIgnore": False, "oid": None,
         "uploadMode": "lfs" if item["size"] >= _LFS_FROM else "regular"}
        for item in seen.json()["files"]
    ]  # fmt: skip
    return as_json({"files": files})

"""The routes of repositories: create, delete, info, refs, tags, branches, commits, files."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from typing import Any

from tests.doubles.hub.refusal import Refusal
from tests.doubles.hub.repos import KINDS
from tests.doubles.hub.repos import Repo

if TYPE_CHECKING:
    from tests.doubles.hub.server import Hub
    from tests.doubles.hub.server import Request


def create(hub: Hub, request: Request) -> Any:
    """POST /api/repos/create."""
    body = request.json()
    unknown = set(body) - {"name", "organization", "type", "visibility", "private"}
    if unknown:
        raise Refusal(400, f"unrecognized key: {sorted(unknown)}")
    owner = body.get("organization") or hub.account.name
    hub.account.may(request.token, owner, "repo.write")
    repo_id, kind = f"{owner}/{body['name']}", body.get("type") or "model"
    hub.repos.add(kind, repo_id, private=body.get("visibility") == "private")
    prefix = "" if kind == "model" else f"{kind}s/"
    return {"url": f"{hub.endpoint}/{prefix}{repo_id}", "name": repo_id, "id": "1" * 24}


def delete(hub: Hub, request: Request) -> Any:
    """DELETE /api/repos/delete."""
    body = request.json()
    owner = body.get("organization") or hub.account.name
    hub.account.may(request.token, owner, "repo.write")
    repo = hub.repos.get(body.get("type") or "model", f"{owner}/{body['name']}")
    del hub.repos.all[repo.kind, repo.id]
    return {}


def info(hub: Hub, request: Request, kind: str, owner: str, name: str, revision: str) -> Any:
    """GET /api/{kind}/{id}[/revision/{revision}]."""
    return hub.repos.info(_readable(hub, request, kind, owner, name), revision)


def refs(hub: Hub, request: Request, kind: str, owner: str, name: str) -> Any:
    """GET /api/{kind}/{id}/refs."""
    return hub.repos.refs(_readable(hub, request, kind, owner, name))


def auth_check(hub: Hub, request: Request, kind: str, owner: str, name: str) -> Any:
    """GET /api/{kind}/{id}/auth-check: 403 GatedRepo without a grant."""
    repo = _readable(hub, request, kind, owner, name)
    if repo.gated and not repo.granted:
        raise Refusal(403, f"Access to {repo.id} is restricted", code="GatedRepo")
    return {}


def tag(hub: Hub, request: Request, kind: str, owner: str, name: str, revision: str) -> Any:
    """POST /api/{kind}/{id}/tag/{revision}; DELETE …/tag/{tag}."""
    repo = _writable(hub, request, kind, owner, name)
    if request.method == "DELETE":
        if repo.tags.pop(revision, None) is None:
            raise Refusal(404, "Tag not found", code="RevisionNotFound")
        return {}
    wanted = request.json()["tag"]
    if wanted in repo.tags:
        raise Refusal(409, f"Tag reference exists already: {wanted}")
    repo.tags[wanted] = repo.resolve(revision)
    return {}


def branch(hub: Hub, request: Request, kind: str, owner: str, name: str, branch: str) -> Any:
    """POST or DELETE /api/{kind}/{id}/branch/{branch}."""
    repo = _writable(hub, request, kind, owner, name)
    if request.method == "DELETE":
        if repo.branches.pop(branch, None) is None:
            raise Refusal(404, "Branch not found", code="RevisionNotFound")
        return {}
    if branch in repo.branches:
        raise Refusal(409, f"Reference already exists: {branch}")
    body = request.json() if request.body else {}
    repo.branches[branch] = repo.resolve(body.get("startingPoint") or "main")
    return {}


def preupload(hub: Hub, request: Request, kind: str, owner: str, name: str, rev: str) -> Any:
    """POST /api/{kind}/{id}/preupload/{revision}."""
    repo = _writable(hub, request, kind, owner, name)
    return hub.repos.preupload(repo, rev, request.json())


def commit(hub: Hub, request: Request, kind: str, owner: str, name: str, rev: str) -> Any:
    """POST /api/{kind}/{id}/commit/{branch}."""
    repo = _writable(hub, request, kind, owner, name)
    oid = hub.repos.apply(repo, rev, request.body)
    return {
        "success": True,
        "commitUrl": f"{hub.endpoint}/{repo.id}/commit/{oid}",
        "commitOid": oid,
    }


def tree(hub: Hub, request: Request, kind: str, owner: str, name: str, rev: str) -> Any:
    """GET /api/{kind}/{id}/tree/{revision}: every file, as if recursive."""
    repo = _readable(hub, request, kind, owner, name)
    files = repo.commits[repo.resolve(rev)]
    return [
        {"type": "file", "path": path, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
        for path, data in sorted(files.items())
    ]


def validate_yaml(hub: Hub, request: Request) -> Any:
    """POST /api/validate-yaml."""
    return {"errors": [], "warnings": []}


def lfs_batch(hub: Hub, request: Request, prefix: str, owner: str, name: str) -> Any:
    """POST /{id}.git/info/lfs/objects/batch: basic transfer only."""
    _writable(hub, request, prefix.rstrip("/") or "models", owner, name)
    return {
        "transfer": "basic",
        "objects": [
            {**item, "actions": {"upload": {"href": f"{hub.endpoint}/_lfs/{item['oid']}"}}}
            for item in request.json()["objects"]
        ],
    }


def lfs_put(hub: Hub, request: Request, oid: str) -> Any:
    """PUT /_lfs/{oid}, as an address signed for one upload: no token."""
    if hashlib.sha256(request.body).hexdigest() != oid:
        raise Refusal(400, "content does not match its oid")
    hub.repos.blobs[oid] = request.body
    return {}


def resolve(hub: Hub, request: Request, prefix: str, owner: str, name: str, rest: str) -> Any:
    """GET or HEAD /{id}/resolve/{revision}/{path}."""
    repo = _readable(hub, request, prefix.rstrip("/") or "models", owner, name)
    revision, _, path = rest.partition("/")
    if repo.gated and not repo.granted:
        raise Refusal(403, f"Access to {repo.id} is restricted", code="GatedRepo")
    oid = repo.resolve(revision)
    if path not in repo.commits[oid]:
        raise Refusal(404, "Entry not found", code="EntryNotFound")
    data = repo.commits[oid][path]
    request.headers_out["X-Repo-Commit"] = oid
    request.headers_out["ETag"] = f'"{hashlib.sha1(data).hexdigest()}"'
    return data


def _readable(hub: Hub, request: Request, kind: str, owner: str, name: str) -> Repo:
    repo = hub.repos.get(KINDS[kind], f"{owner}/{name}")
    if repo.private:
        _ = request.token
    return repo


def _writable(hub: Hub, request: Request, kind: str, owner: str, name: str) -> Repo:
    hub.account.may(request.token, owner, "repo.write")
    return hub.repos.get(KINDS[kind], f"{owner}/{name}")

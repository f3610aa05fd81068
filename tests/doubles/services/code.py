"""GitHub's REST interface: anonymous limits, tokens, large files, long listings."""

from __future__ import annotations

import base64
import json
from typing import Any

from tests.doubles.services.loopback import Refused
from tests.doubles.services.loopback import Reply
from tests.doubles.services.loopback import Seen
from tests.doubles.services.loopback import as_json
from tests.doubles.services.loopback import expect

TOKEN = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
NOTEBOOK = json.dumps(
    {
        "metadata": {"language_info": {"name": "python"}},
        "cells": [
            {"cell_type": "markdown", "source": ["# Train\n", "with GRPO"]},
            {"cell_type": "code", "source": "trainer.train()", "outputs": [{"data": "x" * 9000}]},
        ],
    }
)
FILES: dict[str, bytes] = {
    "README.md": b"# trl\n",
    "examples/scripts/grpo_vlm.py": "\n".join(f"line {n}" for n in range(1, 701)).encode(),
    "examples/scripts/sft.py": b"print('sft')\n",
    "examples/notebooks/grpo.ipynb": NOTEBOOK.encode(),
    "trl/trainer/grpo_trainer.py": b"class GRPOTrainer: ...\n",
    "examples/big.txt": b"row of a large file\n" * 80_000,
    "examples/weights.bin": b"\x00\x01" * 100,
    "examples/logo.png": b"\x89PNG",
}


class GitHub:
    """A double with an anonymous allowance.

    Attributes:
        anonymous_left: Requests left without a token.
        private: Whether the repository is visible with a token only.
        truncated: Whether the recursive listing is too long.
    """

    def __init__(self) -> None:
        self.anonymous_left = 60
        self.private = False
        self.truncated = False

    def __call__(self, seen: Seen) -> Reply:
        """Answer like api.github.com."""
        if seen.headers.get("x-github-api-version") != "2022-11-28":
            raise Refused(400, "say which version")
        given = seen.headers.get("authorization")
        if given is not None and given != f"Bearer {TOKEN}":
            return as_json({"message": "Bad credentials"}, 401)
        if given is None:
            if self.anonymous_left <= 0:
                spent = {"X_RateLimit_Remaining": "0", "X_RateLimit_Reset": "4000000000"}
                return as_json({"message": "API rate limit exceeded."}, 403, **spent)
            self.anonymous_left -= 1
        return self._route(seen, signed=given is not None)

    def _route(self, seen: Seen, *, signed: bool) -> Reply:
        path = seen.path
        if path == "/search/code":
            return self._code(seen, signed)
        if path == "/search/repositories":
            expect(seen, "sort order per_page page", "q")
            return as_json({"total_count": 1, "items": [_repo(1)]})
        if path in ("/orgs/huggingface/repos", "/users/person/repos"):
            return self._repos(seen)
        if not path.startswith("/repos/huggingface/trl") or (self.private and not signed):
            raise Refused(404, "Not Found")
        rest = path.removeprefix("/repos/huggingface/trl")
        if not rest:
            return as_json({**_repo(0), "default_branch": "main"})
        if rest.startswith("/git/trees/"):
            return self._tree(seen, rest.removeprefix("/git/trees/"))
        if rest.startswith("/contents/"):
            return _contents(seen, rest.removeprefix("/contents/"))
        raise Refused(404, "Not Found")

    def _code(self, seen: Seen, signed: bool) -> Reply:
        expect(seen, "per_page page", "q")
        if not signed:
            return as_json({"message": "Requires authentication"}, 401)
        item = {
            "path": "trl/trainer/grpo_trainer.py",
            "html_url": "https://github.com/huggingface/trl/blob/main/x",
            "repository": {"full_name": "huggingface/trl"},
            "text_matches": [{"fragment": "class GRPOTrainer"}],
        }
        return as_json({"total_count": 1, "incomplete_results": False, "items": [item]})

    def _repos(self, seen: Seen) -> Reply:
        expect(seen, "page per_page sort direction type")
        size, page = int(seen.query.get("per_page", 30)), int(seen.query.get("page", 1))
        total = 230 if seen.path.startswith("/orgs") else 2
        numbers = range((page - 1) * size, min(total, page * size))
        return as_json([_repo(n) for n in numbers])

    def _tree(self, seen: Seen, ref: str) -> Reply:
        expect(seen, "recursive")
        deep = "recursive" in seen.query
        if ref == "sha-of-examples":
            names = [n.removeprefix("examples/") for n in FILES if n.startswith("examples/")]
            return as_json({"tree": [_entry(n) for n in names], "truncated": False})
        if ref not in ("main", "HEAD", "v1"):
            raise Refused(404, "Not Found")
        if deep:
            names = list(FILES)[:1] if self.truncated else list(FILES)
            entries = [_entry(name) for name in names]
            return as_json({"sha": "x", "tree": entries, "truncated": self.truncated})
        folders = [{"path": "examples", "type": "tree", "sha": "sha-of-examples"},
                   {"path": "trl", "type": "tree", "sha": "t"}]  # fmt: skip
        return as_json({"tree": [_entry("README.md"), *folders], "truncated": False})


def _entry(name: str) -> dict[str, Any]:
    return {"path": name, "type": "blob", "size": len(FILES.get(name, b"12")), "sha": "s"}


def _repo(number: int) -> dict[str, Any]:
    return {
        "full_name": f"huggingface/repo-{number}",
        "description": None,
        # The best one stands last: only a full comparison finds it.
        "stargazers_count": number,
        "forks_count": 230 - number,
        "language": "Python",
        "topics": ["ml"],
        "license": {"spdx_id": "Apache-2.0"},
        "pushed_at": "2026-01-01T00:00:00Z",
        "archived": False,
        "html_url": f"https://github.com/huggingface/repo-{number}",
    }


def _contents(seen: Seen, name: str) -> Reply:
    expect(seen, "ref")
    if name == "examples":
        return as_json([{"name": "scripts", "type": "dir", "path": "examples/scripts"}])
    if name not in FILES:
        raise Refused(404, "Not Found")
    body = FILES[name]
    if "raw" in seen.headers["accept"]:
        return Reply(200, body, {"Content-Type": "application/vnd.github.raw"})
    large = len(body) > 1_000_000
    return as_json(
        {
            "type": "file",
            "size": len(body),
            "path": name,
            "html_url": f"https://github.com/huggingface/trl/blob/main/{name}",
            "encoding": "none" if large else "base64",
            "content": "" if large else base64.encodebytes(body).decode(),
        }
    )

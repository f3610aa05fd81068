"""The Hub's repository interface, as `huggingface_hub` 2.4 speaks it (its `hf_api.py`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import replace
from typing import TypeVar
from urllib.parse import quote

from sweeper.research.answer import Result
from sweeper.research.faults import ResearchError
from sweeper.research.faults import StrangeAnswerError
from sweeper.research.faults import WriteUnknownError
from sweeper.research.fields import Fields
from sweeper.research.fields import decode
from sweeper.research.fields import records
from sweeper.research.http import Client
from sweeper.research.messages import Request
from sweeper.research.messages import Response
from sweeper.research.services import HUB

T = TypeVar("T")

TEXT_BYTES = 4_000_000
_PAGES = 100


@dataclass(frozen=True, slots=True)
class Repo:
    """A repository.

    Attributes:
        id: owner/name.
        kind: "model", "dataset" or "space".
    """

    id: str
    kind: str = "model"

    @property
    def api(self) -> str:
        """Its path in the API."""
        return f"/api/{self.kind}s/{self.id}"

    @property
    def page(self) -> str:
        """Its path as a page."""
        return f"/{self.id}" if self.kind == "model" else f"/{self.kind}s/{self.id}"

    def __str__(self) -> str:
        return self.id if self.kind == "model" else f"{self.kind}s/{self.id}"


def tree(client: Client, repo: Repo, revision: str, folder: str, *, deep: bool) -> list[Result]:
    """Return files and folders, following the pages."""
    below = f"/{quote(folder, safe='')}" if folder else ""
    path = f"{repo.api}/tree/{quote(revision, safe='')}{below}"
    request = Request(HUB, path, {"recursive": "true" if deep else "false", "expand": "false"})
    found: list[Result] = []
    for _ in range(_PAGES):
        page, following = client.fetch(request, _tree_page)
        found += page
        if following is None:
            return found
        client.say(f"{len(found)} entries listed")
        request = replace(request, path=following, params={})
    raise ResearchError(
        f"{repo} has more than {len(found)} files.", hint="Name a folder with --path."
    )


def _tree_page(answer: Response) -> tuple[list[Result], str | None]:
    items = records(decode(answer.body, HUB.title), "tree")
    following = re.search(r'<([^>]+)>;\s*rel="next"', answer.headers.get("link", ""))
    return [_entry(item) for item in items], following[1] if following else None


def _entry(item: Fields) -> Result:
    kind = item.text("type")
    if kind not in ("file", "directory"):
        raise StrangeAnswerError(f"{item.where}.type is {kind!r}.")
    lfs = item.record_or_none("lfs")
    return {
        "path": item.text("path"),
        "type": kind,
        "size": item.whole("size") if kind == "file" else None,
        "oid": item.text("oid"),
        "sha256": lfs.text("oid") if lfs else None,
    }


def read(client: Client, repo: Repo, revision: str, path: str, start: int) -> Response:
    """Return a file's bytes from `start` on, at most 4 MB of them."""
    headers = {"Accept": "*/*"} | ({"Range": f"bytes={start}-"} if start else {})
    address = f"{repo.page}/resolve/{quote(revision, safe='')}/{quote(path)}"
    request = Request(HUB, address, headers=headers, content=True, max_bytes=TEXT_BYTES, cut=True)
    return client.fetch(request, lambda answer: _bytes(answer, start))


def _bytes(answer: Response, start: int) -> Response:
    if start and not answer.headers.get("content-range", "").startswith(f"bytes {start}-"):
        raise StrangeAnswerError(f"The Hub did not send the file from byte {start} on.")
    length = answer.headers.get("content-length", "")
    if not answer.cut and length.isdigit() and "content-encoding" not in answer.headers:
        due = int(length)
        if due != len(answer.body):
            raise StrangeAnswerError(f"The Hub sent {len(answer.body)} of {due} bytes.")
    return answer


def refs(client: Client, repo: Repo, *, with_prs: bool = False) -> Result:
    """Return branches, tags and converts (and pull requests) with their commits."""
    params: dict[str, str | int | float | None] = {"include_prs": 1} if with_prs else {}
    return client.json(
        Request(HUB, f"{repo.api}/refs", params), lambda value: _refs(value, with_prs)
    )


def _refs(value: object, with_prs: bool) -> Result:
    answer = Fields(value, "refs")
    found: Result = {
        "branches": [_ref(item) for item in answer.records("branches")],
        "tags": [_ref(item) for item in answer.records("tags")],
        "converts": [_ref(item) for item in answer.records_or_empty("converts")],
        "pull_requests": None,
    }
    if with_prs:
        found["pull_requests"] = [_ref(item) for item in answer.records("pullRequests")]
    return found


def _ref(item: Fields) -> Result:
    return {
        "name": item.text("name"),
        "ref": item.text("ref"),
        "commit": item.text("targetCommit"),
    }


def write(
    client: Client,
    method: str,
    path: str,
    body: object,
    parse: Callable[[Response], T],
) -> T:
    """Change something, once.

    Raises:
        WriteUnknownError: It may have happened.
        ResearchError: It was refused; nothing happened.
    """
    request = Request(HUB, path, method=method, body=body, write=True, attempts=3)
    try:
        return client.fetch(request, parse)
    except StrangeAnswerError as exc:
        raise WriteUnknownError(
            f"The Hub took the request, but its answer cannot be trusted. {exc.message}",
            hint="It may have happened: look before asking again.",
        ) from exc


def accepted(answer: Response) -> bool:
    """Refuse a web page where the interface answers with nothing or with JSON."""
    if answer.body.lstrip()[:1] == b"<":
        raise StrangeAnswerError("It is a web page.")
    return True


def discussions(
    client: Client, repo: Repo, *, kind: str, status: str | None, author: str | None, page: int
) -> tuple[list[Result], int]:
    """Return one page of discussions or pull requests, and how many there are."""
    params: dict[str, str | int | float | None] = {
        "type": kind,
        "status": status,
        "author": author,
        "p": page,
    }
    return client.json(Request(HUB, f"{repo.api}/discussions", params), _discussions)


def _discussions(value: object) -> tuple[list[Result], int]:
    answer = Fields(value, "discussions")
    found = [_discussion(item) for item in answer.records("discussions")]
    answer.whole("start")
    return found, answer.whole("count")


def _discussion(item: Fields) -> Result:
    author = item.record_or_none("author")
    return {
        "num": item.whole("num"),
        "title": item.text("title"),
        "status": item.text("status"),
        "author": (author.text_or_none("name") if author else None) or "deleted",
        "created_at": item.text("createdAt"),
        "is_pull_request": item.truth("isPullRequest"),
    }


def discussion(client: Client, repo: Repo, num: int) -> Result:
    """Return one discussion with its events and, of a pull request, its difference."""
    request = Request(HUB, f"{repo.api}/discussions/{num}", {"diff": 1})
    return client.json(request, lambda value: _detailed(value, num))


def _detailed(value: object, num: int) -> Result:
    item = Fields(value, "discussion")
    found = _discussion(item)
    if found["num"] != num:
        raise StrangeAnswerError(f"The Hub answered with discussion {found['num']}, not {num}.")
    changes = item.record_or_none("changes")
    conflicts = item.raw("filesWithConflicts")
    return {
        **found,
        "target_branch": changes.text_or_none("base") if changes else None,
        "merge_commit": changes.text_or_none("mergeCommitId") if changes else None,
        "conflicts": conflicts if isinstance(conflicts, bool | list) else None,
        "events": [_event(event) for event in item.records("events")],
        "diff": item.text_or_none("diff"),
    }


def _event(event: Fields) -> Result:
    author = event.record_or_none("author")
    data = event.record_or_none("data")
    latest = data.record_or_none("latest") if data else None
    return {
        "id": event.text("id"),
        "type": event.text("type"),
        "author": (author.text_or_none("name") if author else None) or "deleted",
        "created_at": event.text_or_none("createdAt"),
        "text": latest.text_or_none("raw") if latest else None,
        "status": data.text_or_none("status") if data else None,
        "title": data.text_or_none("subject") if data else None,
    }

"""Uploads and deletions: commits made by `huggingface_hub`, which knows LFS and Xet.

Content goes up first (safe to repeat), then one commit request (never repeated), then the
commit's own listing is compared with what was meant.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from typing import Any
from typing import TypeVar

from sweeper.research import verdicts
from sweeper.research.answer import Result
from sweeper.research.faults import DownError
from sweeper.research.faults import ResearchError
from sweeper.research.faults import WriteUnknownError
from sweeper.research.http import Client
from sweeper.research.repos import hub
from sweeper.research.repos.hub import Repo
from sweeper.research.services import HUB
from sweeper.research.services import LOOPBACK
from sweeper.research.services import origin

if TYPE_CHECKING:
    from huggingface_hub import CommitInfo
    from huggingface_hub import HfApi

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Upload:
    """A local file and where it goes."""

    local: Path
    path: str


def _api(client: Client) -> HfApi:
    # Read when the library is first imported, so before anything else of it.
    os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    from huggingface_hub import HfApi
    from huggingface_hub import constants

    base = client.accounts.base(HUB)
    if origin(base)[1] in LOOPBACK:  # nothing on this machine speaks Xet
        constants.HF_HUB_DISABLE_XET = True
    return HfApi(endpoint=base, token=client.accounts.secret(HUB) or False)


def upload(
    client: Client, repo: Repo, uploads: list[Upload], *, revision: str, message: str, pr: bool
) -> Result:
    """Commit local files and return the commit, verified.

    Raises:
        WriteUnknownError: The commit may have happened.
        ResearchError: It did not.
    """
    api = _api(client)
    from huggingface_hub import CommitOperationAdd

    operations = [CommitOperationAdd(item.path, str(item.local)) for item in uploads]
    size = sum(item.local.stat().st_size for item in uploads)
    client.say(f"uploading {len(uploads)} files, {size:,} bytes, to {repo}")
    _send_content(api, repo, operations, revision, pr)
    client.say("content is there; committing")
    info = _commit(api, repo, operations, revision, message, pr)
    due = {item.path: item.local for item in uploads}
    return {**_committed(info), "verified": _verified(client, repo, info.oid, due)}


def _send_content(api: HfApi, repo: Repo, operations: list[Any], revision: str, pr: bool) -> None:
    def send() -> None:
        api.preupload_lfs_files(
            repo.id,
            operations,
            repo_type=repo.kind,
            revision=revision,
            create_pr=pr,
            free_memory=False,
        )

    from huggingface_hub import constants
    from huggingface_hub.errors import HfHubHTTPError

    try:
        send()
    except HfHubHTTPError as exc:
        raise _translated(exc, write=False) from exc
    except Exception as exc:  # hf_xet and the transport raise their own kinds
        if constants.HF_HUB_DISABLE_XET:
            raise _not_sent(exc) from exc
        constants.HF_HUB_DISABLE_XET = True
        _guarded(send)


def _guarded(call: Callable[[], T]) -> T:
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return call()
    except HfHubHTTPError as exc:
        raise _translated(exc, write=False) from exc
    except Exception as exc:  # hf_xet and the transport raise their own kinds
        raise _not_sent(exc) from exc


def _not_sent(exc: Exception) -> DownError:
    return DownError(
        f"The content could not be uploaded ({_chain(exc)}).",
        hint="No commit was made; the same command can be run again.",
    )


def _chain(exc: BaseException) -> str:
    words = [f"{type(exc).__name__}: {exc}".strip(": ")]
    if exc.__cause__ is not None:
        words.append(f"{type(exc.__cause__).__name__}: {exc.__cause__}".strip(": "))
    return "; ".join(words)[:400]


def _commit(
    api: HfApi, repo: Repo, operations: list[Any], revision: str, message: str, pr: bool
) -> CommitInfo:
    from huggingface_hub.errors import HfHubHTTPError

    try:
        return api.create_commit(
            repo.id,
            operations,
            commit_message=message,
            repo_type=repo.kind,
            revision=revision,
            create_pr=pr,
        )
    except HfHubHTTPError as exc:
        raise _translated(exc, write=True) from exc
    except Exception as exc:  # a lost or unreadable answer, in whatever way it was lost
        raise WriteUnknownError(
            f"The commit was sent, but its answer cannot be trusted ({_chain(exc)}).",
            hint="It may have happened: look with `hf_repo.py files list` before asking again.",
        ) from exc


def _translated(exc: Any, *, write: bool) -> ResearchError:
    """Return a Hub error of the library as ours."""
    import time

    response = exc.response
    try:
        body = response.content
    except Exception:  # a streamed answer that was never read
        body = str(exc).encode()
    return verdicts.of_status(
        HUB, response.status_code, response.headers, body, now=time.time(), write=write
    )


def _committed(info: CommitInfo) -> Result:
    return {"commit": info.oid, "url": info.commit_url, "pull_request": info.pr_url}


def _verified(client: Client, repo: Repo, commit: str, due: dict[str, Path]) -> bool | None:
    """Compare the commit's listing with the local files; None if it cannot be listed."""
    listed: dict[str, Result] = {}
    try:
        for folder in sorted({path.rpartition("/")[0] for path in due}):
            entries = hub.tree(client, repo, commit, folder, deep=False)
            listed |= {str(entry["path"]): entry for entry in entries}
    except ResearchError:
        return None
    for path, local in due.items():
        if path not in listed or not _same(listed[path], local):
            raise WriteUnknownError(
                f"The commit {commit} was made, but {path} in it is not the local file.",
                hint="Another commit may have come between, or .gitignore left it out.",
            )
    return True


def _same(entry: Result, local: Path) -> bool:
    if entry["size"] != local.stat().st_size:
        return False
    if entry["sha256"] is not None:
        with local.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == entry["sha256"]
    body = local.read_bytes()
    blob = hashlib.sha1(b"blob %d\x00" % len(body) + body, usedforsecurity=False).hexdigest()
    return blob == entry["oid"]


def delete(
    client: Client, repo: Repo, paths: list[str], *, revision: str, message: str, pr: bool
) -> Result:
    """Commit the deletion of files and return the commit, verified."""
    api = _api(client)
    from huggingface_hub import CommitOperationDelete

    operations = [CommitOperationDelete(path, is_folder=False) for path in paths]
    info = _commit(api, repo, operations, revision, message, pr)
    try:
        left = {str(entry["path"]) for entry in hub.tree(client, repo, info.oid, "", deep=True)}
    except ResearchError:
        return {**_committed(info), "verified": None}
    if still := [path for path in paths if path in left]:
        raise WriteUnknownError(
            f"The commit {info.oid} was made, but it still holds {', '.join(still[:5])}."
        )
    return {**_committed(info), "verified": True}

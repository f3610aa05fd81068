"""Files that are too large for a command: uploaded once under their digest, then mounted.

A plain commit of text to a private dataset repository, neither a bucket nor a large file: it
needs no further protocol, and a job reads it through a read-only volume, without a token of its
own.
"""

from __future__ import annotations

import fnmatch
import io
import itertools
from collections.abc import Collection
from collections.abc import Iterator
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sweeper.jobs.bundle import Bundle
from sweeper.jobs.hf.connection import Connection
from sweeper.jobs.hf.refusals import translated
from sweeper.jobs.hf.submission import safe

MOUNT = "/sweeper-files"
PART_LIMIT = 8 * 1024 * 1024  # bytes of text a file; from 10 MB on the Hub wants another protocol


@dataclass(frozen=True, slots=True)
class Shipment:
    """How a job gets its files.

    Attributes:
        digest: Digest of the archive.
        arguments: The archive as arguments, or the paths where its parts are mounted.
        volume: Keyword arguments of `huggingface_hub.Volume`, or None.
    """

    digest: str
    arguments: list[str]
    volume: dict[str, Any] | None


def ship(connection: Connection, bundle: Bundle, repo_id: str) -> Shipment:
    """Return how a bundle travels, uploading it if it is large and not there yet.

    Raises:
        UnavailableError: The Hub is away.
        AccountError: The token may not write the repository.
    """
    inline = bundle.as_arguments()
    if inline is not None:
        return Shipment(bundle.digest, inline, None)
    parts = dict(zip(_names(bundle.digest), bundle.as_text(PART_LIMIT), strict=False))
    revision = _revision_with(connection, repo_id, parts) or _upload(connection, repo_id, parts)
    volume = {
        "type": "dataset",
        "source": repo_id,
        "mount_path": MOUNT,
        "revision": revision,
        "read_only": True,
    }
    return Shipment(bundle.digest, [f"{MOUNT}/{name}" for name in parts], volume)


def _names(digest: str) -> Iterator[str]:
    return (f"{digest}-{part:02}.txt" for part in itertools.count())


def repo_for(namespace: str, study: str, uid: str, output_repos: Sequence[str]) -> str:
    """Return the repository for the files of a sweep, inside `output_repos` where that is open.

    Only a pattern with `*` leaves room for a name of ours; else the sweep's own private
    repository is used, which holds nothing but these files.
    """
    name = f"{safe(study)}-{uid}-files"
    for pattern in output_repos:
        if pattern.startswith(f"{namespace}/") and "*" in pattern:
            return pattern.replace("*", name)
    return f"{namespace}/{name}"


def inside(repo_id: str, output_repos: Sequence[str]) -> bool:
    """Tell whether a repository lies in the scope that a person approved."""
    return any(fnmatch.fnmatchcase(repo_id, pattern) for pattern in output_repos)


def _revision_with(connection: Connection, repo_id: str, names: Collection[str]) -> str | None:
    """Return the commit of a repository that holds the files already, or None."""
    from huggingface_hub.errors import RepositoryNotFoundError

    with translated("looking for the sweep's files", connection.endpoint):
        try:
            info = connection.api.dataset_info(repo_id)
        except RepositoryNotFoundError:
            return None
    held = {sibling.rfilename for sibling in info.siblings or []}
    return info.sha if held.issuperset(names) else None


def _upload(connection: Connection, repo_id: str, parts: Mapping[str, str]) -> str:
    import httpx2
    from huggingface_hub import CommitOperationAdd

    api = connection.api
    # Streams, not bytes: should the Hub want another protocol all the same, bytes would go
    # through Xet, which ignores the session's timeouts.
    added = [CommitOperationAdd(n, io.BytesIO(t.encode())) for n, t in parts.items()]
    with translated("uploading the sweep's files", connection.endpoint):
        api.create_repo(repo_id, repo_type="dataset", private=True, exist_ok=True)
        try:
            commit = api.create_commit(
                repo_id, added, commit_message="Files of a sweep", repo_type="dataset"
            )
        except RuntimeError as error:  # how the client wraps what went wrong in its threads
            if isinstance(error.__cause__, httpx2.HTTPError):
                raise error.__cause__ from error
            raise
    return str(commit.oid)

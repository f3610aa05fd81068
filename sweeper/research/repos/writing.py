"""The operations of hf_repo.py that change something: allowed first, then sent once, then seen."""

from __future__ import annotations

import argparse
import fnmatch
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from sweeper.research import generations
from sweeper.research.answer import Answer
from sweeper.research.answer import Result
from sweeper.research.faults import ConflictError
from sweeper.research.faults import ForbiddenError
from sweeper.research.faults import NotFoundError
from sweeper.research.faults import ResearchError
from sweeper.research.faults import UsageError
from sweeper.research.faults import WriteUnknownError
from sweeper.research.fields import Fields
from sweeper.research.fields import decode
from sweeper.research.http import Client
from sweeper.research.messages import Response
from sweeper.research.repos import commits
from sweeper.research.repos import hub
from sweeper.research.repos import scope
from sweeper.research.repos.commits import Upload
from sweeper.research.repos.hub import Repo
from sweeper.research.repos.reading import repo_of
from sweeper.research.services import HUB


def _allowed(
    client: Client, args: argparse.Namespace, what: str, *, deletes: bool = False
) -> tuple[Repo, Answer]:
    """Return the repository and an answer that says what allowed the write."""
    repo = repo_of(args)
    if "/" not in repo.id:
        raise UsageError("A repository to write to is named owner/name.", key="repo")
    program = Path(args.program) if args.program else None
    why = scope.permit(program, repo.id, deletes=deletes, yes=args.yes, what=f"{what} {repo}")
    if client.accounts.secret(HUB) is None:
        raise ForbiddenError(
            "Writing to the Hub needs a token.", hint="Set HF_TOKEN, or run `hf auth login`."
        )
    generations.raise_for(f"{repo.kind}/{repo.id}")
    return repo, Answer({"repo": str(repo)}, [HUB.title], [why], web=False)


def _seen(answer: Answer, look: Callable[[], bool], what: str) -> Answer:
    """Look whether the change is there; say so if that cannot be seen."""
    try:
        there = look()
    except ResearchError as exc:
        answer.notes.append(f"It was accepted, but could not be looked at: {exc.message}")
        answer.result["verified"] = None
        return answer
    if not there:
        raise WriteUnknownError(
            f"The Hub accepted it, but {what}.", hint="Look again in a minute before repeating it."
        )
    answer.result["verified"] = True
    return answer


def _names(client: Client, repo: Repo, kind: str) -> set[str]:
    entries = hub.refs(client, repo)[kind]
    return {str(item["name"]) for item in entries} if isinstance(entries, list) else set()


def files_upload(client: Client, args: argparse.Namespace) -> Answer:
    """Upload local files: text, binary or large."""
    uploads = _uploads(args)
    what = f"upload {', '.join(item.path for item in uploads[:3])}"
    what += f" and {len(uploads) - 3} more to" if len(uploads) > 3 else " to"
    repo, answer = _allowed(client, args, what)
    answer.result |= commits.upload(
        client,
        repo,
        uploads,
        revision=args.revision,
        message=args.message or f"Upload {len(uploads)} files",
        pr=args.create_pr,
    )
    answer.result |= {"files": [item.path for item in uploads]}
    return answer


def _uploads(args: argparse.Namespace) -> list[Upload]:
    local = Path(args.local).expanduser()
    if local.is_file():
        return [Upload(local, args.path or local.name)]
    if not local.is_dir():
        raise UsageError(f"There is no file or folder {local}.", key="local")
    files = sorted(
        path
        for path in local.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(local).parts
    )
    if not files:
        raise UsageError(f"The folder {local} holds no files.", key="local")
    start = f"{args.path.strip('/')}/" if args.path else ""
    return [Upload(path, start + path.relative_to(local).as_posix()) for path in files]


def files_delete(client: Client, args: argparse.Namespace) -> Answer:
    """Delete files by name or pattern."""
    what = f"delete {', '.join(args.patterns)} from"
    repo, answer = _allowed(client, args, what, deletes=True)
    entries = hub.tree(client, repo, args.revision, "", deep=True)
    names = [str(entry["path"]) for entry in entries if entry["type"] == "file"]
    doomed = [name for name in names if any(_hit(name, p) for p in args.patterns)]
    if not doomed:
        raise NotFoundError(
            f"No file of {repo} matches {', '.join(args.patterns)}; nothing was deleted."
        )
    answer.result |= commits.delete(
        client,
        repo,
        doomed,
        revision=args.revision,
        message=args.message or f"Delete {len(doomed)} files",
        pr=args.create_pr,
    )
    answer.result |= {"files": doomed}
    return answer


def _hit(name: str, pattern: str) -> bool:
    return name == pattern or fnmatch.fnmatchcase(name, pattern)


def branch_create(client: Client, args: argparse.Namespace) -> Answer:
    """Create a branch."""
    repo, answer = _allowed(client, args, f"create the branch {args.name} of")
    body = {"startingPoint": args.revision} if args.revision else {}
    path = f"{repo.api}/branch/{quote(args.name, safe='')}"
    _unless_there(args, answer, lambda: hub.write(client, "POST", path, body, hub.accepted))
    answer.result |= {"branch": args.name}
    look = lambda: args.name in _names(client, repo, "branches")  # noqa: E731
    return _seen(answer, look, f"there is no branch {args.name}")


def branch_delete(client: Client, args: argparse.Namespace) -> Answer:
    """Delete a branch."""
    repo, answer = _allowed(client, args, f"delete the branch {args.name} of", deletes=True)
    path = f"{repo.api}/branch/{quote(args.name, safe='')}"
    hub.write(client, "DELETE", path, None, hub.accepted)
    answer.result |= {"branch": args.name}
    look = lambda: args.name not in _names(client, repo, "branches")  # noqa: E731
    return _seen(answer, look, f"the branch {args.name} is still there")


def tag_create(client: Client, args: argparse.Namespace) -> Answer:
    """Tag a revision."""
    repo, answer = _allowed(client, args, f"create the tag {args.name} of")
    body = {"tag": args.name} | ({"message": args.message} if args.message else {})
    path = f"{repo.api}/tag/{quote(args.revision, safe='')}"
    _unless_there(args, answer, lambda: hub.write(client, "POST", path, body, hub.accepted))
    answer.result |= {"tag": args.name, "revision": args.revision}
    look = lambda: args.name in _names(client, repo, "tags")  # noqa: E731
    return _seen(answer, look, f"there is no tag {args.name}")


def tag_delete(client: Client, args: argparse.Namespace) -> Answer:
    """Delete a tag."""
    repo, answer = _allowed(client, args, f"delete the tag {args.name} of", deletes=True)
    path = f"{repo.api}/tag/{quote(args.name, safe='')}"
    hub.write(client, "DELETE", path, None, hub.accepted)
    answer.result |= {"tag": args.name}
    look = lambda: args.name not in _names(client, repo, "tags")  # noqa: E731
    return _seen(answer, look, f"the tag {args.name} is still there")


def _unless_there(args: argparse.Namespace, answer: Answer, send: Callable[[], object]) -> None:
    try:
        send()
    except ConflictError as exc:
        if not args.exist_ok:
            exc.hint = "It is there already; --exist-ok makes that no error."
            raise
        answer.notes.append("It was there already.")


def pr_create(client: Client, args: argparse.Namespace) -> Answer:
    """Open an empty draft pull request; files are added to its revision refs/pr/N."""
    repo, answer = _allowed(client, args, "open a pull request on")
    body = {"title": args.title, "description": args.description, "pullRequest": True}
    num = hub.write(client, "POST", f"{repo.api}/discussions", body, _number)
    base = client.accounts.base(HUB)
    url = f"{base}{repo.page}/discussions/{num}"
    answer.result |= {"num": num, "url": url, "revision": f"refs/pr/{num}"}
    look = lambda: hub.discussion(client, repo, num)["is_pull_request"] is True  # noqa: E731
    return _seen(answer, look, f"#{num} is no pull request")


def _number(answer: Response) -> int:
    return Fields(decode(answer.body, HUB.title), "discussion").whole("num")


def pr_merge(client: Client, args: argparse.Namespace) -> Answer:
    """Merge a pull request."""
    repo, answer = _allowed(client, args, f"merge pull request {args.num} of")
    body = {"comment": args.comment} if args.comment else None
    path = f"{repo.api}/discussions/{args.num}/merge"
    hub.write(client, "POST", path, body, hub.accepted)
    return _with_status(client, repo, answer, args.num, "merged")


def pr_close(client: Client, args: argparse.Namespace) -> Answer:
    """Close a pull request."""
    return _status(client, args, "closed")


def pr_status(client: Client, args: argparse.Namespace) -> Answer:
    """Open or close a pull request or discussion."""
    return _status(client, args, args.status)


def _status(client: Client, args: argparse.Namespace, status: str) -> Answer:
    repo, answer = _allowed(client, args, f"set pull request {args.num} to {status} on")
    body = {"status": status} | ({"comment": args.comment} if args.comment else {})
    path = f"{repo.api}/discussions/{args.num}/status"
    hub.write(client, "POST", path, body, hub.accepted)
    return _with_status(client, repo, answer, args.num, status)


def _with_status(client: Client, repo: Repo, answer: Answer, num: int, status: str) -> Answer:
    answer.result |= {"num": num, "status": status}
    # A draft that is reopened stays a draft.
    fitting = {status, "draft"} if status == "open" else {status}
    look = lambda: hub.discussion(client, repo, num)["status"] in fitting  # noqa: E731
    return _seen(answer, look, f"#{num} is not {status}")


def pr_comment(client: Client, args: argparse.Namespace) -> Answer:
    """Comment on a pull request or discussion."""
    repo, answer = _allowed(client, args, f"comment on pull request {args.num} of")
    path = f"{repo.api}/discussions/{args.num}/comment"
    event = hub.write(client, "POST", path, {"comment": args.comment}, _message)
    answer.result |= {"num": args.num, "comment": event, "verified": True}
    return answer


def _message(answer: Response) -> str:
    value = Fields(decode(answer.body, HUB.title), "comment")
    return value.record("newMessage").text("id")


def repo_create(client: Client, args: argparse.Namespace) -> Answer:
    """Create a repository, private unless asked otherwise."""
    if (args.type == "space") != bool(args.space_sdk):
        raise UsageError(
            "A Space needs --space-sdk, and only a Space takes it.", key="--space-sdk"
        )
    visibility = "public" if args.public else "private"
    repo, answer = _allowed(client, args, f"create the {visibility} {args.type}")
    owner, name = repo.id.split("/")
    body: Result = {
        "name": name,
        "organization": owner,
        "visibility": visibility,
        "type": repo.kind,
    } | ({"sdk": args.space_sdk} if args.space_sdk else {})
    base = client.accounts.base(HUB)
    answer.result |= {"url": f"{base}{repo.page}", "visibility": visibility}
    _unless_there(
        args, answer, lambda: hub.write(client, "POST", "/api/repos/create", body, _created)
    )
    look = lambda: bool(hub.refs(client, repo)["branches"])  # noqa: E731
    return _seen(answer, look, "it has no branch")


def _created(answer: Response) -> str:
    return Fields(decode(answer.body, HUB.title), "repository").text("url")


def repo_update(client: Client, args: argparse.Namespace) -> Answer:
    """Change a repository's visibility or gating."""
    body: Result = {}
    if args.visibility:
        body["visibility"] = args.visibility
    if args.gated:
        body["gated"] = False if args.gated == "off" else args.gated
    if not body:
        raise UsageError("Nothing to change: give --visibility, --gated, or both.")
    words = ", ".join(f"{name} {value}" for name, value in body.items())
    repo, answer = _allowed(client, args, f"set {words} on")
    hub.write(client, "PUT", f"{repo.api}/settings", body, hub.accepted)
    answer.result |= {"settings": body, "verified": None}
    return answer


def show(result: Result) -> str:
    """Show what was changed."""
    lines = [
        f"{name}: {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in result.items()
        if value is not None
    ]
    if result.get("verified") is None:
        lines.append("verified: no (the Hub accepted it; it was not looked at)")
    return "\n".join(lines)

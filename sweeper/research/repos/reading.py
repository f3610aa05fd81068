"""The operations of hf_repo.py that only read."""

from __future__ import annotations

import argparse
import fnmatch

from sweeper.research.answer import Answer
from sweeper.research.answer import More
from sweeper.research.answer import Result
from sweeper.research.answer import short
from sweeper.research.http import Client
from sweeper.research.repos import hub
from sweeper.research.repos.hub import Repo
from sweeper.research.services import HUB


def repo_of(args: argparse.Namespace) -> Repo:
    """Return the repository that a call names."""
    return Repo(args.repo, args.type)


def files_list(client: Client, args: argparse.Namespace) -> Answer:
    """Return a repository's files."""
    repo = repo_of(args)
    entries = hub.tree(client, repo, args.revision, args.path or "", deep=True)
    files = [entry for entry in entries if entry["type"] == "file"]
    if args.glob:
        files = [e for e in files if fnmatch.fnmatchcase(str(e["path"]), args.glob)]
    shown = files[args.offset : args.offset + args.limit]
    result: Result = {
        "repo": str(repo),
        "revision": args.revision,
        "total": len(files),
        "bytes": sum(size for e in files if isinstance(size := e["size"], int)),
        "offset": args.offset,
        "files": list(shown),
    }
    answer = Answer(result, [HUB.title])
    end = args.offset + len(shown)
    if end < len(files):
        answer.more.append(More(f"files from {end + 1} of {len(files)}", {"--offset": str(end)}))
    return answer


def show_files(result: Result) -> str:
    """Show files."""
    lines = [f"{result['repo']} at {result['revision']}: {result['total']} files, "
             f"{result['bytes']:,} bytes"]  # fmt: skip
    files = result["files"]
    for item in files if isinstance(files, list) else []:
        lines.append(
            f"- {item['path']} ({item['size']:,} bytes{', LFS' if item['sha256'] else ''})"
        )
    return "\n".join(lines)


def files_read(client: Client, args: argparse.Namespace) -> Answer:
    """Return a file's text; of a binary file its size."""
    repo = repo_of(args)
    found = hub.read(client, repo, args.revision, args.path, args.offset)
    binary = b"\x00" in found.body[:8000]
    length = found.headers.get("x-linked-size") or found.headers.get("content-length", "")
    size = int(length) if length.isdigit() else (None if found.cut else len(found.body))
    result: Result = {
        "repo": str(repo),
        "revision": args.revision,
        "path": args.path,
        "commit": found.headers.get("x-repo-commit"),
        "bytes": size,
        "offset": args.offset,
        "binary": binary,
        "text": None if binary else found.text,
    }
    answer = Answer(result, [HUB.title])
    if found.cut and not binary:
        end = args.offset + len(found.body)
        answer.more.append(More(f"text from byte {end} on", {"--offset": str(end)}))
    return answer


def show_file(result: Result) -> str:
    """Show a file."""
    size = "unknown size" if result["bytes"] is None else f"{result['bytes']:,} bytes"
    head = f"{result['repo']} {result['path']} at {result['revision']}, {size}"
    if result["binary"]:
        return f"{head}: a binary file; `hf download` fetches it."
    return f"{head}\n\n{result['text']}"


def refs_list(client: Client, args: argparse.Namespace) -> Answer:
    """Return branches, tags and other references."""
    repo = repo_of(args)
    found = hub.refs(client, repo, with_prs=args.pull_requests)
    return Answer({"repo": str(repo), **found}, [HUB.title])


def show_refs(result: Result) -> str:
    """Show references."""
    lines = [str(result["repo"])]
    for kind in ("branches", "tags", "converts", "pull_requests"):
        entries = result[kind]
        if isinstance(entries, list):
            lines.append(f"{kind.replace('_', ' ')}:" if entries else f"{kind}: none")
            lines += [f"- {item['name']}  {item['commit']}" for item in entries]
    return "\n".join(lines)


def prs_list(client: Client, args: argparse.Namespace) -> Answer:
    """Return pull requests (or discussions)."""
    repo = repo_of(args)
    found: list[Result] = []
    total, page = 1, 0
    while len(found) < total and len(found) < args.offset + args.limit:
        entries, total = hub.discussions(
            client,
            repo,
            kind="discussion" if args.discussions else "pull_request",
            status=None if args.status == "all" else args.status,
            author=args.author,
            page=page,
        )
        if not entries:
            break
        found += entries
        page += 1
    shown = found[args.offset : args.offset + args.limit]
    result: Result = {
        "repo": str(repo),
        "total": total if found else 0,
        "offset": args.offset,
        "pull_requests": shown,
    }
    answer = Answer(result, [HUB.title])
    end = args.offset + len(shown)
    if shown and end < total:
        answer.more.append(More(f"from {end + 1} of {total}", {"--offset": str(end)}))
    return answer


def show_prs(result: Result) -> str:
    """Show pull requests."""
    entries = result["pull_requests"]
    if not isinstance(entries, list) or not entries:
        return f"{result['repo']}: none."
    return "\n".join(
        f"#{item['num']} [{item['status']}] {short(str(item['title']), 120)} by {item['author']}, "
        f"{str(item['created_at'])[:10]}"
        for item in entries
    )


def pr_get(client: Client, args: argparse.Namespace) -> Answer:
    """Return one pull request with events and difference."""
    repo = repo_of(args)
    found = hub.discussion(client, repo, args.num)
    return Answer({"repo": str(repo), **found}, [HUB.title])


def show_pr(result: Result) -> str:
    """Show one pull request."""
    lines = [
        f"{result['repo']} #{result['num']} [{result['status']}] {result['title']}",
        f"by {result['author']}, {result['created_at']}; into {result['target_branch'] or '–'}",
    ]
    events = result["events"]
    for event in events if isinstance(events, list) else []:
        said = event["text"] or event["status"] or event["title"] or ""
        lines.append(f"- {event['type']} by {event['author']}: {short(str(said), 500)}")
    if result["diff"]:
        lines.append(f"\n{result['diff']}")
    return "\n".join(lines)

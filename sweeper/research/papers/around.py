"""What lies around a paper: similar papers, and data sets, models and collections on the Hub."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from sweeper.research import legs
from sweeper.research.answer import Answer
from sweeper.research.answer import More
from sweeper.research.answer import Result
from sweeper.research.answer import short
from sweeper.research.faults import UsageError
from sweeper.research.http import Client
from sweeper.research.papers import hub
from sweeper.research.papers import semantic_scholar as s2
from sweeper.research.papers.record import arxiv_id
from sweeper.research.papers.record import lines
from sweeper.research.papers.record import without_version
from sweeper.research.services import HUB
from sweeper.research.services import S2


def recommend(client: Client, args: argparse.Namespace) -> Answer:
    """Return papers like one (or several) and unlike others."""
    positive = [without_version(arxiv_id(item)) for item in args.paper]
    negative = [without_version(arxiv_id(item)) for item in args.unlike]
    if len(positive) == 1 and not negative:
        papers = s2.recommend_one(client, positive[0], pool=args.pool, limit=args.limit)
    elif args.pool != "recent":
        raise UsageError("--pool is only for a single paper.", key="--pool")
    else:
        papers = s2.recommend_many(client, positive, negative, limit=args.limit)
    result: Result = {"like": positive, "unlike": negative, "papers": list(papers)}
    return Answer(result, [S2.title])


def show_recommended(result: Result) -> str:
    """Show recommended papers."""
    return lines(result["papers"])


def resources(kinds: tuple[str, ...]) -> Callable[[Client, argparse.Namespace], Answer]:
    """Return the operation that finds data sets, models or collections of a paper."""

    def find(client: Client, args: argparse.Namespace) -> Answer:
        arxiv = without_version(arxiv_id(args.paper))
        calls = {kind: _resource_call(client, kind, arxiv, args) for kind in kinds}
        found, failed = legs.run(calls)
        if not found:
            raise next(iter(failed.values()))
        result: Result = {"arxiv_id": arxiv, **{kind: found.get(kind) for kind in kinds}}
        notes = [f"{kind} are unknown: {exc.message}" for kind, exc in failed.items()]
        more = []
        if any(len(items) >= args.limit for items in found.values()) and args.limit < 100:
            more = [More("more of them", {"--limit": str(min(100, 2 * args.limit))})]
        return Answer(result, [HUB.title], notes, more=more, complete=not failed)

    return find


def _resource_call(
    client: Client, kind: str, arxiv: str, args: argparse.Namespace
) -> Callable[[], list[Result]]:
    if kind == "collections":
        return lambda: hub.collections(client, arxiv, limit=args.limit)[: args.limit]
    sort = getattr(args, "sort", "downloads")
    return lambda: hub.repositories(client, kind, arxiv, sort=sort, limit=args.limit)


def show_resources(result: Result) -> str:
    """Show what belongs to a paper."""
    parts = []
    for kind in ("datasets", "models", "collections"):
        if kind not in result:
            continue
        items = result[kind]
        parts.append(f"{kind}:")
        if items is None:
            parts.append("   unknown (see the note above)")
        elif not isinstance(items, list) or not items:
            parts.append(f"   none on the Hub names arXiv:{result['arxiv_id']} on its card")
        else:
            parts += [_resource(item) for item in items]
    return "\n".join(parts)


def _resource(item: Result) -> str:
    name = item.get("id") or f"{item['title']} ({item['slug']})"
    facts = [
        f"{label} {item[field]}"
        for field, label in (
            ("downloads", "downloads"), ("likes", "likes"), ("task", "task"),
            ("library", "library"), ("upvotes", "upvotes"), ("items", "items"),
        )
        if item.get(field) is not None
    ]  # fmt: skip
    about = short(str(item.get("description") or ""), 160)
    return f"- {name}: {', '.join(facts)}" + (f"\n  {about}" if about else "")

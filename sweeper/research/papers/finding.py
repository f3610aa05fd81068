"""Finding papers: search, trending, details and passages."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from sweeper.research.answer import Answer
from sweeper.research.answer import More
from sweeper.research.answer import Result
from sweeper.research.answer import short
from sweeper.research.faults import BusyError
from sweeper.research.faults import DownError
from sweeper.research.faults import ForbiddenError
from sweeper.research.faults import NotFoundError
from sweeper.research.faults import ResearchError
from sweeper.research.faults import StrangeAnswerError
from sweeper.research.faults import UsageError
from sweeper.research.http import Client
from sweeper.research.messages import Request
from sweeper.research.papers import hub
from sweeper.research.papers import openalex
from sweeper.research.papers import semantic_scholar as s2
from sweeper.research.papers.record import arxiv_id
from sweeper.research.papers.record import day
from sweeper.research.papers.record import line
from sweeper.research.papers.record import lines
from sweeper.research.papers.record import paper
from sweeper.research.papers.record import without_version
from sweeper.research.services import HUB
from sweeper.research.services import OPENALEX
from sweeper.research.services import S2

#: Failures of Semantic Scholar for which OpenAlex may stand in.
AWAY = (BusyError, DownError, StrangeAnswerError, ForbiddenError)
_SORTS = {"citations": "citationCount", "date": "publicationDate"}


def filters_of(args: argparse.Namespace) -> s2.Filters:
    """Return the filters of a call, checked."""
    day(args.since)
    day(args.until, last=True)
    return s2.Filters(args.since, args.until, args.min_citations, s2.fields_of_study(args.fields))


def search(client: Client, args: argparse.Namespace) -> Answer:
    """Search papers; OpenAlex stands in by name when Semantic Scholar is away."""
    filters = filters_of(args)
    if args.source == "hub":
        return _hub_search(client, args, filters)
    if args.source == "openalex":
        return _openalex_search(client, args, filters, None)
    try:
        found = _s2_search(client, args, filters)
    except AWAY as exc:
        if args.source == "s2":
            raise
        return _openalex_search(client, args, filters, exc)
    return _searched(args, filters, found, S2.title)


def _s2_search(client: Client, args: argparse.Namespace, filters: s2.Filters) -> s2.Found:
    # A shared pool answers 429 as a matter of course: do not wait long where another can answer.
    patient = args.source == "s2"
    request = Request(
        S2,
        "",
        age_s=s2.DAY_S,
        attempts=5 if patient else 3,
        patience_s=90 if patient else 12,
    )
    if args.sort == "relevance":
        return s2.search(
            client, args.query, filters, limit=args.limit, offset=args.offset, request=request
        )
    return s2.bulk(
        client,
        args.query,
        filters,
        sort=_SORTS[args.sort],
        limit=args.limit,
        offset=args.offset,
        request=request,
    )


def _openalex_search(
    client: Client, args: argparse.Namespace, filters: s2.Filters, away: ResearchError | None
) -> Answer:
    try:
        found = openalex.search(
            client, args.query, filters, sort=args.sort, limit=args.limit, offset=args.offset
        )
    except ResearchError as exc:
        if away is None:
            raise
        raise neither(away, exc) from exc
    answer = _searched(args, filters, found, OPENALEX.title)
    if away is not None:
        answer.fallback = (
            f"OpenAlex stands in for Semantic Scholar ({away.message}) All filters are applied; "
            "relevance and citation counts are OpenAlex's own."
        )
        answer.complete = False
    return answer


def neither(first: ResearchError, second: ResearchError) -> ResearchError:
    """Return the error that says why neither source could answer."""
    message = f"{first.message} OpenAlex could not stand in: {second.message}"
    return ResearchError(message, hint=first.hint)


def _hub_search(client: Client, args: argparse.Namespace, filters: s2.Filters) -> Answer:
    if filters or args.sort != "relevance" or args.offset:
        raise UsageError(
            "The Hub's paper search has no filters, order or offset.",
            key="--source",
            hint="Leave --source out, or use --source openalex.",
        )
    found = [_from_hub(item) for item in hub.search(client, args.query, limit=args.limit)]
    return _searched(args, filters, s2.Found(found[: args.limit], None), HUB.title)


def _from_hub(item: Result) -> Result:
    published, authors = item["date"], item["authors"]
    return paper(
        title=str(item["title"]),
        arxiv=str(item["arxiv_id"]),
        published=str(published) if published else None,
        tldr=str(item["summary"]) if item["summary"] else None,
        authors=[str(name) for name in authors] if isinstance(authors, list) else [],
    )


def _searched(
    args: argparse.Namespace, filters: s2.Filters, found: s2.Found, source: str
) -> Answer:
    applied: Result = {
        "since": filters.since,
        "until": filters.until,
        "min_citations": filters.min_citations,
        "fields": list(filters.fields),
        "sort": args.sort,
    }
    result: Result = {
        "query": args.query,
        "filters": applied,
        "total": found.total,
        "offset": args.offset,
        "papers": found.papers,
    }
    left_out = f"{found.untitled} papers without a title were left out."
    shown = len(found.papers) + found.untitled
    answer = Answer(result, [source], more=following(args, shown, found.total))
    answer.notes += [left_out] if found.untitled else []
    return answer


def following(args: argparse.Namespace, shown: int, total: int | None) -> list[More]:
    """Return the way to the next results of a list, if there may be more."""
    end = args.offset + shown
    if shown < args.limit or (total is not None and end >= total):
        return []
    of = f" of {total}" if total is not None else ""
    return [More(f"results from {end + 1}{of}", {"--offset": str(end)})]


def show_search(result: Result) -> str:
    """Show found papers."""
    applied = result["filters"]
    named = applied if isinstance(applied, dict) else {}
    set_ones = [f"{name} {value}" for name, value in named.items() if value]
    total = "" if result["total"] is None else f"about {result['total']} papers; "
    offset = result["offset"] if isinstance(result["offset"], int) else 0
    return f"{total}{', '.join(map(str, set_ones))}\n\n{lines(result['papers'], offset)}"


def trending(client: Client, args: argparse.Namespace) -> Answer:
    """Return the Hub's daily papers; a keyword is looked for in title, summary and keywords."""
    date = day(args.date)
    wanted = (args.query or "").lower()
    read = max(3 * args.limit, 30) if wanted else args.limit
    found = hub.daily(client, date=date, limit=min(read, 100))
    notes = []
    if wanted:
        count = len(found)
        found = [item for item in found if wanted in _haystack(item)]
        notes = [f"{len(found)} of the {count} listed papers mention {args.query!r}."]
    result: Result = {"date": date, "query": args.query, "papers": list(found[: args.limit])}
    return Answer(result, [HUB.title], notes)


def _haystack(item: Result) -> str:
    return f"{item['title']} {item['summary']} {item['abstract']} {item['keywords']}".lower()


def show_trending(result: Result) -> str:
    """Show daily papers."""
    papers = result["papers"]
    if not isinstance(papers, list) or not papers:
        return "No paper was found."
    return "\n".join(_trend(item, index + 1) for index, item in enumerate(papers))


def _trend(item: Result, number: int) -> str:
    facts = [str(item["date"] or "no date"), f"arXiv:{item['arxiv_id']}"]
    if item["upvotes"] is not None:
        facts.append(f"{item['upvotes']} upvotes")
    if item["github"]:
        facts.append(f"{item['github']} ({item['github_stars'] or 0} stars)")
    title = short(str(item["title"]), 200)
    summary = short(str(item["summary"] or ""), 300)
    return f"{number}. {title}\n   {' · '.join(facts)}\n   {summary}"


def details(client: Client, args: argparse.Namespace) -> Answer:
    """Return what the Hub and Semantic Scholar know of one paper."""
    arxiv = without_version(arxiv_id(args.paper))
    page, no_page = _attempt(lambda: hub.details(client, arxiv))
    known, no_known = _attempt(lambda: s2.details(client, arxiv))
    source = [HUB.title] if page else []
    source += [S2.title] if known else []
    fallback = None
    if known is None and isinstance(no_known, AWAY):
        known, _ = _attempt(lambda: openalex.details(client, arxiv))
        if known is not None:
            source.append(OPENALEX.title)
            fallback = (
                f"Citations are OpenAlex's, because of this: {no_known.message} "
                "Influential citations and the TL;DR are unknown."
            )
    missing = [exc for exc in (no_page, no_known) if exc]
    if page is None and known is None:
        raise missing[-1] if len({type(exc) for exc in missing}) == 1 else _worst(missing)
    notes = [exc.message for exc in missing]
    away = any(not isinstance(exc, NotFoundError) for exc in missing)
    return Answer(_merged(arxiv, page, known), source, notes, fallback, complete=not away)


def _worst(missing: list[ResearchError]) -> ResearchError:
    return next(exc for exc in missing if not isinstance(exc, NotFoundError))


def _attempt(call: Callable[[], Result]) -> tuple[Result | None, ResearchError | None]:
    try:
        return call(), None
    except ResearchError as exc:
        return None, exc


def _merged(arxiv: str, page: Result | None, known: Result | None) -> Result:
    hub_side, other = page or {}, known or {}
    either = {
        name: hub_side.get(name) or other.get(name)
        for name in ("title", "date", "authors", "abstract")
    }
    first = {
        name: other.get(name)
        for name in (
            "year", "venue", "doi", "citations", "influential_citations", "references", "tldr",
        )
    }  # fmt: skip
    second = {
        name: hub_side.get(name)
        for name in ("summary", "keywords", "upvotes", "github", "github_stars")
    }
    link = f"https://arxiv.org/abs/{arxiv}"
    return {"arxiv_id": arxiv, **either, **first, **second, "url": link}


def show_details(result: Result) -> str:
    """Show one paper."""
    parts = [f"{result['title']}", f"{result['url']}"]
    for name in (
        "authors", "date", "venue", "citations", "influential_citations", "references", "upvotes",
        "github", "github_stars", "keywords", "tldr", "summary", "abstract",
    ):  # fmt: skip
        value = result[name]
        if value not in (None, [], ""):
            words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            parts.append(f"{name.replace('_', ' ')}: {words}")
    return "\n".join(parts)


def snippet_search(client: Client, args: argparse.Namespace) -> Answer:
    """Return passages inside papers; year and citations are looked up in one further request."""
    found = s2.snippets(client, args.query, filters_of(args), limit=args.limit)
    notes, complete = [], True
    papers: list[Result | None] = [None] * len(found)
    if found:
        try:
            papers = s2.batch(client, [f"CorpusId:{item['corpus_id']}" for item in found])
        except ResearchError as exc:
            notes, complete = [f"Years, citations and arXiv ids are missing: {exc.message}"], False
    snippets = [{**item, "paper": known} for item, known in zip(found, papers, strict=True)]
    result: Result = {"query": args.query, "snippets": snippets}
    more = []
    if len(found) == args.limit and args.limit < 100:
        more = [More("more snippets", {"--limit": str(min(100, 2 * args.limit))})]
    return Answer(result, [S2.title], notes, more=more, complete=complete)


def show_snippets(result: Result) -> str:
    """Show passages."""
    found = result["snippets"]
    if not isinstance(found, list) or not found:
        return "No passage was found."
    parts = []
    for index, item in enumerate(found):
        known = item["paper"]
        head = line(known, index + 1) if known else f"{index + 1}. {item['title']}"
        parts.append(f"{head}\n   {item['section'] or item['kind'] or 'text'}:")
        parts.append(f"   > {short(item['text'], 1200)}")
    return "\n".join(parts)

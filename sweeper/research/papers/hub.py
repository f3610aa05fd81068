"""The Hub's paper pages, and what on the Hub belongs to a paper."""

from __future__ import annotations

from urllib.parse import quote

from sweeper.research.answer import Result
from sweeper.research.faults import StrangeAnswerError
from sweeper.research.fields import Fields
from sweeper.research.fields import records
from sweeper.research.http import Client
from sweeper.research.messages import Request
from sweeper.research.services import HUB

_QUARTER_S = 900.0
_DAY_S = 86_400.0
_KINDS = ("datasets", "models")
SORTS = {"downloads": "downloads", "likes": "likes", "trending": "trendingScore"}


def daily(client: Client, *, date: str | None, limit: int) -> list[Result]:
    """Return the Hub's daily papers, of one day if a date is given."""
    asked = Request(
        HUB, "/api/daily_papers", {"limit": limit, "date": date}, age_s=_QUARTER_S, account=False
    )
    return client.json(asked, _listed)


def search(client: Client, query: str, *, limit: int) -> list[Result]:
    """Return papers that the Hub's own search finds; it has no filters."""
    asked = Request(
        HUB, "/api/papers/search", {"q": query, "limit": limit}, age_s=_DAY_S, account=False
    )
    return client.json(asked, _listed)


def details(client: Client, arxiv: str) -> Result:
    """Return the Hub's page of one paper."""
    asked = Request(HUB, f"/api/papers/{quote(arxiv)}", age_s=_DAY_S, account=False, attempts=3)
    return client.json(asked, lambda value: _page(Fields(value, "paper")))


def _listed(value: object) -> list[Result]:
    found = records(value, "papers")
    return [_page(item.record("paper") if "paper" in item else item, item) for item in found]


def _page(found: Fields, outer: Fields | None = None) -> Result:
    arxiv = found.text("id")
    title = found.text_or_none("title") or (outer.text("title") if outer else found.text("title"))
    stars, upvotes = found.whole_or_none("githubStars"), found.whole_or_none("upvotes")
    return {
        "title": title,
        "arxiv_id": arxiv,
        "date": _date(found.text_or_none("publishedAt")),
        "upvotes": upvotes,
        "summary": found.text_or_none("ai_summary") or found.text_or_none("summary"),
        "abstract": found.text_or_none("summary"),
        "keywords": found.texts_or_empty("ai_keywords"),
        "github": found.text_or_none("githubRepo"),
        "github_stars": stars,
        "authors": _authors(found),
        "url": f"https://huggingface.co/papers/{arxiv}",
    }


def _authors(found: Fields) -> list[str]:
    names = [author.text_or_none("name") for author in found.records_or_empty("authors")]
    return [name for name in names if name][:10]


def _date(text: str | None) -> str | None:
    return text[:10] if text else None


def repositories(client: Client, kind: str, arxiv: str, *, sort: str, limit: int) -> list[Result]:
    """Return the data sets or models whose card names a paper.

    Args:
        client: Asks.
        kind: "datasets" or "models".
        arxiv: The paper.
        sort: "downloads", "likes" or "trending".
        limit: How many.
    """
    if kind not in _KINDS:
        raise ValueError(f"{kind} is no kind of repository")
    params: dict[str, str | int | float | None] = {
        "filter": f"arxiv:{arxiv}",
        "limit": limit,
        "sort": SORTS[sort],
        "direction": -1,
    }
    asked = Request(HUB, f"/api/{kind}", params, age_s=_DAY_S, attempts=3)
    return client.json(
        asked, lambda value: [_repository(item, kind) for item in records(value, kind)]
    )


def _repository(item: Fields, kind: str) -> Result:
    name = item.text("id")
    prefix = "datasets/" if kind == "datasets" else ""
    found: Result = {
        "id": name,
        "downloads": item.whole_or_none("downloads"),
        "likes": item.whole_or_none("likes"),
        "tags": item.texts_or_empty("tags")[:30],
        "url": f"https://huggingface.co/{prefix}{name}",
    }
    if kind == "datasets":
        return {**found, "description": item.text_or_none("description")}
    return {
        **found,
        "task": item.text_or_none("pipeline_tag"),
        "library": item.text_or_none("library_name"),
    }


def collections(client: Client, arxiv: str, *, limit: int) -> list[Result]:
    """Return the collections that hold a paper."""
    asked = Request(
        HUB, "/api/collections", {"paper": arxiv, "limit": limit}, age_s=_DAY_S, attempts=3
    )
    return client.json(
        asked, lambda value: [_collection(item) for item in records(value, "collections")]
    )


def _collection(item: Fields) -> Result:
    owner = item.record_or_none("owner")
    slug = item.text("slug")
    return {
        "slug": slug,
        "title": item.text("title"),
        "owner": owner.text_or_none("name") if owner else None,
        "upvotes": item.whole_or_none("upvotes"),
        "description": item.text_or_none("description"),
        "items": len(item.items_or_empty("items")),
        "url": f"https://huggingface.co/collections/{slug}",
    }


def markdown(client: Client, arxiv: str) -> tuple[str, str]:
    """Return a paper as the Hub's markdown, and its address.

    Raises:
        StrangeAnswerError: What came is no markdown.
    """
    asked = Request(
        HUB,
        f"/papers/{quote(arxiv)}.md",
        headers={"Accept": "text/markdown, text/plain"},
        account=False,
        attempts=3,
        patience_s=15,
    )
    return client.fetch(asked, lambda answer: (_markdown(answer.text), answer.url))


def _markdown(text: str) -> str:
    if text.lstrip()[:100].lower().startswith(("<!doctype", "<html")) or len(text.strip()) < 200:
        raise StrangeAnswerError("The Hub has no markdown of this paper.")
    return text

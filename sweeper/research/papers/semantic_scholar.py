"""Semantic Scholar: the right endpoint for each question.

Contract: https://api.semanticscholar.org/api-docs/. `/paper/search` ranks by relevance (at most
100 a page, 1,000 in all); `/paper/search/bulk` sorts by date or citations and pages with a token;
neither accepts what the other offers. Snippet search knows papers by corpus id only.
"""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import replace
from urllib.parse import quote

from sweeper.research.answer import Result
from sweeper.research.faults import StrangeAnswerError
from sweeper.research.faults import UsageError
from sweeper.research.fields import Fields
from sweeper.research.http import Client
from sweeper.research.messages import Request
from sweeper.research.papers.record import paper
from sweeper.research.services import S2

DAY_S = 86_400.0
_FIELDS = "title,externalIds,year,publicationDate,venue,citationCount"
_FULL_FIELDS = f"{_FIELDS},influentialCitationCount,tldr"
_EDGE_FIELDS = f"{_FIELDS},influentialCitationCount,contexts,intents,isInfluential"
_EDGES_A_PAGE = 500
_LAST_RELEVANT = 1000

FIELDS_OF_STUDY = (
    "Computer Science", "Medicine", "Chemistry", "Biology", "Materials Science", "Physics",
    "Geology", "Psychology", "Art", "History", "Geography", "Sociology", "Business",
    "Political Science", "Economics", "Philosophy", "Mathematics", "Engineering",
    "Environmental Science", "Agricultural and Food Sciences", "Education", "Law", "Linguistics",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filters:
    """What a paper must be to be found.

    Attributes:
        since: First day of publication, as the caller wrote it (YYYY, YYYY-MM, YYYY-MM-DD).
        until: Last day.
        min_citations: Fewest citations.
        fields: Fields of study, as Semantic Scholar names them.
    """

    since: str | None = None
    until: str | None = None
    min_citations: int | None = None
    fields: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.since or self.until or self.min_citations is not None or self.fields)

    def params(self) -> dict[str, str | int | float | None]:
        """Return them as Semantic Scholar's query parameters."""
        dates = f"{self.since or ''}:{self.until or ''}" if self.since or self.until else None
        return {
            "publicationDateOrYear": dates,
            "minCitationCount": self.min_citations,
            "fieldsOfStudy": ",".join(self.fields) or None,
        }


def fields_of_study(text: str | None) -> tuple[str, ...]:
    """Return the named fields of study in Semantic Scholar's spelling.

    Raises:
        UsageError: One is unknown.
    """
    known = {name.lower(): name for name in FIELDS_OF_STUDY}
    found = []
    for word in filter(None, (part.strip() for part in (text or "").split(","))):
        if word.lower() not in known:
            raise UsageError(
                f"{word!r} is no field of study.",
                key="--fields",
                hint=f"Known are: {', '.join(FIELDS_OF_STUDY)}.",
            )
        found.append(known[word.lower()])
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Found:
    """A page of papers.

    Attributes:
        papers: The papers.
        total: How many there are in all, as the service estimates; None if it does not say.
        untitled: How many were left out because the service has no title for them.
    """

    papers: list[Result]
    total: int | None
    untitled: int = 0


@dataclass(frozen=True, slots=True)
class Edges:
    """Neighbours of a paper in the citation graph.

    Attributes:
        papers: The neighbours.
        more: Whether there are more than were read.
        untitled: How many were left out because the service could not resolve them.
    """

    papers: list[Result]
    more: bool
    untitled: int


def search(
    client: Client, query: str, filters: Filters, *, limit: int, offset: int, request: Request
) -> Found:
    """Return papers by relevance."""
    if offset + limit > _LAST_RELEVANT:
        raise UsageError(
            "Semantic Scholar ranks only the first 1,000 papers by relevance.",
            key="--offset",
            hint="Narrow the query, or sort by citations or date.",
        )
    params = {**filters.params(), "query": query, "limit": limit, "offset": offset}
    asked = _with(request, "/graph/v1/paper/search", {**params, "fields": _FULL_FIELDS})
    return client.json(asked, lambda value: _page(Fields(value, "search")))


def bulk(
    client: Client,
    query: str,
    filters: Filters,
    *,
    sort: str,
    limit: int,
    offset: int,
    request: Request,
) -> Found:
    """Return papers sorted by `citationCount` or `publicationDate`, the highest first."""
    params: dict[str, str | int | float | None] = {
        **filters.params(),
        "query": query,
        "sort": f"{sort}:desc",
        "fields": f"{_FIELDS},influentialCitationCount",
    }
    papers: list[Result] = []
    untitled = 0
    token: str | None = None
    while True:
        asked = _with(request, "/graph/v1/paper/search/bulk", {**params, "token": token})
        page, token = client.json(asked, _bulk_page)
        papers += page.papers
        untitled += page.untitled
        if len(papers) >= offset + limit or not token:
            return Found(papers[offset : offset + limit], page.total, untitled)


def _bulk_page(value: object) -> tuple[Found, str | None]:
    answer = Fields(value, "search")
    return _page(answer), answer.text_or_none("token")


def _page(answer: Fields) -> Found:
    total = answer.whole("total")
    # Without a match the list is left out.
    found = answer.records("data") if total or "data" in answer else []
    titled = [item for item in found if item.text_or_none("title")]
    return Found([as_paper(item) for item in titled], total, len(found) - len(titled))


def details(client: Client, arxiv: str) -> Result:
    """Return one paper with citations and TL;DR, and its abstract under `abstract`."""
    path = f"/graph/v1/paper/ARXIV:{quote(arxiv)}"
    asked = Request(
        S2,
        path,
        {"fields": f"{_FULL_FIELDS},abstract,referenceCount,authors"},
        age_s=DAY_S,
        attempts=3,
        patience_s=15,
    )
    return client.json(asked, _details)


def _details(value: object) -> Result:
    found = Fields(value, "paper")
    return {
        **as_paper(found),
        "abstract": found.text_or_none("abstract"),
        "references": found.whole_or_none("referenceCount"),
    }


def edges(client: Client, arxiv: str, direction: str, *, most: int) -> Edges:
    """Return a paper's citations or references.

    Args:
        client: Asks.
        arxiv: The paper.
        direction: "citations" or "references".
        most: How many are read at most.
    """
    found: list[Result | None] = []
    offset: int | None = 0
    while offset is not None and len(found) < most:
        asked = Request(
            S2,
            f"/graph/v1/paper/ARXIV:{quote(arxiv)}/{direction}",
            {"fields": _EDGE_FIELDS, "limit": min(_EDGES_A_PAGE, most), "offset": offset},
            age_s=DAY_S,
            attempts=3,
            patience_s=15,
        )
        page, offset = client.json(asked, lambda value: _edges(value, direction))
        found += page
        client.say(f"{direction}: {len(found)} read")
    more = offset is not None or len(found) > most
    papers = [item for item in found[:most] if item is not None]
    return Edges(papers, more, len(found[:most]) - len(papers))


def _edges(value: object, direction: str) -> tuple[list[Result | None], int | None]:
    answer = Fields(value, direction)
    if answer.raw("data") is None and "citingPaperInfo" in answer:
        raise StrangeAnswerError(
            f"Semantic Scholar holds the {direction} of this paper back.",
            hint="Its publisher may not allow them to be shown.",
        )
    end = "citingPaper" if direction == "citations" else "citedPaper"
    found = [_edge(item, end) for item in answer.records("data")]
    following = answer.whole_or_none("next")
    if following is not None and following <= (answer.whole_or_none("offset") or 0):
        raise StrangeAnswerError(f"Semantic Scholar pages the {direction} in a circle.")
    return found, following


def _edge(item: Fields, end: str) -> Result | None:
    other = item.record(end)
    if other.text_or_none("title") is None:  # a reference that could not be resolved
        return None
    return {
        **as_paper(other),
        "is_influential": item.truth_or_none("isInfluential") or False,
        "intents": item.texts_or_empty("intents"),
        "contexts": item.texts_or_empty("contexts")[:3],
    }


def snippets(client: Client, query: str, filters: Filters, *, limit: int) -> list[Result]:
    """Return passages of papers, best first; the paper is known by its corpus id."""
    asked = Request(
        S2,
        "/graph/v1/snippet/search",
        {**filters.params(), "query": query, "limit": limit},
        age_s=DAY_S,
    )
    return client.json(
        asked, lambda value: [_snippet(item) for item in Fields(value, "snippets").records("data")]
    )


def _snippet(item: Fields) -> Result:
    source, snippet = item.record("paper"), item.record("snippet")
    return {
        "corpus_id": _corpus_id(source),
        "title": source.text("title"),
        "text": snippet.text("text"),
        "kind": snippet.text_or_none("snippetKind"),
        "section": snippet.text_or_none("section"),
        "score": item.number_or_none("score"),
    }


def _corpus_id(source: Fields) -> str:
    value = source.raw("corpusId")
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return source.text("corpusId")


def batch(client: Client, ids: list[str]) -> list[Result | None]:
    """Return papers by id (`CorpusId:…`, `ARXIV:…`), in order; None for unknown ones."""
    asked = Request(
        S2,
        "/graph/v1/paper/batch",
        {"fields": f"{_FIELDS},influentialCitationCount"},
        method="POST",
        body={"ids": ids},
        age_s=DAY_S,
        attempts=3,
        patience_s=15,
    )
    return client.json(asked, lambda value: _batch(value, len(ids)))


def _batch(value: object, count: int) -> list[Result | None]:
    if not isinstance(value, list) or len(value) != count:
        raise StrangeAnswerError(f"Semantic Scholar should have answered with {count} papers.")
    return [None if item is None else as_paper(Fields(item, "batch")) for item in value]


def recommend_one(client: Client, arxiv: str, *, pool: str, limit: int) -> list[Result]:
    """Return papers like one paper; `pool` is "recent" or "all-cs"."""
    asked = Request(
        S2,
        f"/recommendations/v1/papers/forpaper/ARXIV:{quote(arxiv)}",
        {"fields": _FIELDS, "limit": limit, "from": pool},
        age_s=DAY_S,
    )
    return client.json(asked, _recommended)


def recommend_many(
    client: Client, positive: list[str], negative: list[str], *, limit: int
) -> list[Result]:
    """Return papers like some and unlike others."""
    asked = Request(
        S2,
        "/recommendations/v1/papers/",
        {"fields": _FIELDS, "limit": limit},
        method="POST",
        body={
            "positivePaperIds": [f"ARXIV:{item}" for item in positive],
            "negativePaperIds": [f"ARXIV:{item}" for item in negative],
        },
        age_s=DAY_S,
    )
    return client.json(asked, _recommended)


def _recommended(value: object) -> list[Result]:
    found = Fields(value, "recommendations").records("recommendedPapers")
    return [as_paper(item) for item in found]


def as_paper(found: Fields) -> Result:
    """Return a paper as Semantic Scholar gives it."""
    ids = found.record_or_none("externalIds")
    tldr = found.record_or_none("tldr")
    return paper(
        title=found.text("title"),
        arxiv=ids.text_or_none("ArXiv") if ids else None,
        doi=ids.text_or_none("DOI") if ids else None,
        year=found.whole_or_none("year"),
        published=found.text_or_none("publicationDate"),
        venue=found.text_or_none("venue"),
        citations=found.whole_or_none("citationCount"),
        influential=found.whole_or_none("influentialCitationCount"),
        tldr=tldr.text_or_none("text") if tldr else None,
        authors=_names(found.records_or_empty("authors")),
    )


def _names(authors: list[Fields]) -> list[str]:
    return [name for author in authors if (name := author.text_or_none("name"))]


def _with(request: Request, path: str, params: dict[str, str | int | float | None]) -> Request:
    return replace(request, path=path, params=params)

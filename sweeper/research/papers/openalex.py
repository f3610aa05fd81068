"""OpenAlex: what stands in, by name, when Semantic Scholar does not answer.

Contract: https://docs.openalex.org/. It knows dates, citations and fields, but neither influence
nor snippets; what it cannot express is an error, never a filter left out.
"""

from __future__ import annotations

import os

from sweeper.research.answer import Result
from sweeper.research.answer import short
from sweeper.research.faults import StrangeAnswerError
from sweeper.research.faults import UsageError
from sweeper.research.fields import Fields
from sweeper.research.http import Client
from sweeper.research.messages import Request
from sweeper.research.papers.record import arxiv_id_or_none
from sweeper.research.papers.record import day
from sweeper.research.papers.record import paper
from sweeper.research.papers.semantic_scholar import Edges
from sweeper.research.papers.semantic_scholar import Filters
from sweeper.research.papers.semantic_scholar import Found
from sweeper.research.services import OPENALEX

_DAY_S = 86_400.0
_SORTS = {
    "relevance": "relevance_score:desc",
    "citations": "cited_by_count:desc",
    "date": "publication_date:desc",
}
# Its 26 fields (https://api.openalex.org/fields) under Semantic Scholar's names.
_FIELDS = {
    "Computer Science": "17", "Medicine": "27", "Chemistry": "16", "Biology": "11|13",
    "Materials Science": "25", "Physics": "31", "Geology": "19", "Psychology": "32", "Art": "12",
    "History": "12", "Geography": "33", "Sociology": "33", "Business": "14",
    "Political Science": "33", "Economics": "20", "Philosophy": "12", "Mathematics": "26",
    "Engineering": "22", "Environmental Science": "23", "Agricultural and Food Sciences": "11",
    "Education": "33", "Law": "33", "Linguistics": "12|33",
}  # fmt: skip


def search(
    client: Client, query: str, filters: Filters, *, sort: str, limit: int, offset: int
) -> Found:
    """Return works that match `query`, with every filter applied."""
    if offset % limit:
        raise UsageError("With OpenAlex --offset must be a multiple of --limit.", key="--offset")
    params: dict[str, str | int | float | None] = {
        "search": query,
        "filter": filter_text(filters),
        "sort": _SORTS[sort],
        "per_page": limit,
        "page": offset // limit + 1 if offset else None,
        "mailto": os.environ.get("OPENALEX_MAILTO") or None,
    }
    return client.json(Request(OPENALEX, "/works", params, age_s=_DAY_S), _works)


def filter_text(filters: Filters) -> str:
    """Return filters in OpenAlex's language."""
    parts = ["type:article|preprint"]
    if filters.since:
        parts.append(f"from_publication_date:{day(filters.since)}")
    if filters.until:
        parts.append(f"to_publication_date:{day(filters.until, last=True)}")
    if filters.min_citations is not None:
        parts.append(f"cited_by_count:>{filters.min_citations - 1}")
    if filters.fields:
        ids = sorted({part for name in filters.fields for part in _FIELDS[name].split("|")})
        parts.append(f"primary_topic.field.id:{'|'.join(ids)}")
    return ",".join(parts)


def details(client: Client, arxiv: str) -> Result:
    """Return one paper by its arXiv id."""
    asked = Request(OPENALEX, f"/works/doi:10.48550/arXiv.{arxiv}", age_s=_DAY_S)
    return client.json(asked, _single)


def _single(value: object) -> Result:
    found = _work(Fields(value, "work"))
    if found is None:
        raise StrangeAnswerError("OpenAlex holds this paper without a title.")
    return found


def edges(client: Client, arxiv: str, direction: str, *, most: int) -> Edges:
    """Return works that cite a paper, or that it cites, the most cited first."""
    asked = Request(OPENALEX, f"/works/doi:10.48550/arXiv.{arxiv}", age_s=_DAY_S)
    work, cited = client.json(asked, _links)
    if direction == "references" and not cited:
        return Edges([], False, 0)
    cut = cited[:100]  # as many ids as one filter takes
    text = f"cites:{work}" if direction == "citations" else f"openalex:{'|'.join(cut)}"
    params: dict[str, str | int | float | None] = {
        "filter": text,
        "sort": "cited_by_count:desc",
        "per_page": min(200, most),
        "mailto": os.environ.get("OPENALEX_MAILTO") or None,
    }
    found = client.json(Request(OPENALEX, "/works", params, age_s=_DAY_S), _works)
    read = len(found.papers) + found.untitled
    more = len(cited) > len(cut) or (found.total or 0) > read
    blank: Result = {"is_influential": None, "intents": [], "contexts": []}
    return Edges([{**item, **blank} for item in found.papers], more, found.untitled)


def _links(value: object) -> tuple[str, list[str]]:
    work = Fields(value, "work")
    cited = [item.rsplit("/", 1)[-1] for item in work.texts_or_empty("referenced_works")]
    return work.text("id").rsplit("/", 1)[-1], cited


def _works(value: object) -> Found:
    answer = Fields(value, "works")
    found = [_work(item) for item in answer.records("results")]
    meta = answer.record_or_none("meta")
    total = meta.whole_or_none("count") if meta else None
    papers = [item for item in found if item is not None]
    return Found(papers, total, len(found) - len(papers))


def _work(work: Fields) -> Result | None:
    title = work.text_or_none("display_name")
    if not title:  # OpenAlex holds some works without a title
        return None
    doi = (work.text_or_none("doi") or "").removeprefix("https://doi.org/") or None
    source = None
    if place := work.record_or_none("primary_location"):
        holder = place.record_or_none("source")
        source = holder.text_or_none("display_name") if holder else None
    return paper(
        title=title,
        arxiv=_arxiv(work, doi),
        doi=doi,
        year=work.whole_or_none("publication_year"),
        published=work.text_or_none("publication_date"),
        venue=source,
        citations=work.whole_or_none("cited_by_count"),
        tldr=short(_abstract(work.record_or_none("abstract_inverted_index")), 400) or None,
        authors=_authors(work),
        url=None if doi else work.text_or_none("id"),
    )


def _authors(work: Fields) -> list[str]:
    found = [item.record_or_none("author") for item in work.records_or_empty("authorships")]
    return [name for item in found if item and (name := item.text_or_none("display_name"))]


def _arxiv(work: Fields, doi: str | None) -> str | None:
    places = [
        place.text_or_none("landing_page_url") for place in work.records_or_empty("locations")
    ]
    names = [doi, *places]
    return next((found for name in names if (found := arxiv_id_or_none(name))), None)


def _abstract(index: Fields | None) -> str:
    """Put an inverted index (word -> positions) back into order."""
    if index is None:
        return ""
    placed = [
        (position, word)
        for word in index
        for position in index.items(word)
        if isinstance(position, int)
    ]
    return " ".join(word for _, word in sorted(placed))

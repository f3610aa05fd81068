"""Semantic Scholar and OpenAlex, as their documentation has them."""

from __future__ import annotations

from typing import Any

from tests.doubles.services.loopback import Refused
from tests.doubles.services.loopback import Reply
from tests.doubles.services.loopback import Seen
from tests.doubles.services.loopback import as_json
from tests.doubles.services.loopback import expect

_FILTERS = "publicationDateOrYear fieldsOfStudy minCitationCount year venue openAccessPdf"
_FIELDS = {
    "paperId", "corpusId", "externalIds", "url", "title", "abstract", "venue", "year",
    "referenceCount", "citationCount", "influentialCitationCount", "isOpenAccess", "fieldsOfStudy",
    "publicationDate", "journal", "authors", "tldr", "contexts", "intents", "isInfluential",
}  # fmt: skip
COUNT = 37


def paper(number: int) -> dict[str, Any]:
    """Return a paper with every field."""
    return {
        "paperId": f"{number:040x}",
        "title": f"Low-rank adaptation number {number}",
        "externalIds": {"ArXiv": f"2106.{number:05d}", "DOI": f"10.1/{number}"},
        "year": 2015 + number % 10,
        "publicationDate": f"{2015 + number % 10}-06-17",
        "venue": "ICLR",
        "citationCount": 10 * number,
        "influentialCitationCount": number,
        "tldr": {"model": "tldr@v2", "text": f"Summary {number}."},
        "authors": [{"authorId": "1", "name": "E. Hu"}],
        "abstract": "Abstract.",
        "referenceCount": 45,
    }


def _picked(number: int, seen: Seen, extra: str = "") -> dict[str, Any]:
    names = (seen.query.get("fields") or "title").split(",")
    allowed = _FIELDS - {"contexts", "intents", "isInfluential"} | set(extra.split())
    if unknown := [name for name in names if name not in allowed]:
        raise Refused(400, f"Unrecognized or unsupported fields: [{', '.join(unknown)}]")
    return {name: value for name, value in paper(number).items() if name in (*names, "paperId")}


def scholar(seen: Seen) -> Reply:
    """Answer like api.semanticscholar.org."""
    path = seen.path
    if path == "/graph/v1/paper/search":
        return _search(seen)
    if path == "/graph/v1/paper/search/bulk":
        return _bulk(seen)
    if path == "/graph/v1/snippet/search":
        return _snippets(seen)
    if path == "/graph/v1/paper/batch" and seen.method == "POST":
        expect(seen, "fields")
        ids = seen.json()["ids"]
        if not all(":" in item for item in ids):
            raise Refused(400, "bad id")
        return as_json([_picked(int(item.split(":")[1]) % 100, seen) for item in ids])
    if path.startswith("/graph/v1/paper/ARXIV:"):
        return _one(seen)
    if path.startswith("/recommendations/v1/papers/"):
        return _recommend(seen)
    raise Refused(404, "no such endpoint")


def _search(seen: Seen) -> Reply:
    expect(seen, f"fields limit offset {_FILTERS}", "query")
    limit, offset = int(seen.query.get("limit", 100)), int(seen.query.get("offset", 0))
    if not 1 <= limit <= 100 or offset + limit > 1000:
        raise Refused(400, "Requested data for this limit and/or offset is not available")
    if seen.query["query"] == "nothing":
        return as_json({"total": 0, "offset": 0})
    data = [_picked(n, seen) for n in range(offset, min(COUNT, offset + limit))]
    return as_json({"total": COUNT, "offset": offset, "next": offset + limit, "data": data})


def _bulk(seen: Seen) -> Reply:
    expect(seen, f"fields sort token {_FILTERS}", "query")
    if "tldr" in seen.query.get("fields", ""):
        raise Refused(400, "Unrecognized or unsupported fields: [tldr]")
    name, _, direction = seen.query.get("sort", "paperId:asc").partition(":")
    if name not in ("paperId", "publicationDate", "citationCount") or direction not in (
        "asc",
        "desc",
    ):
        raise Refused(400, "bad sort")
    start = int(seen.query.get("token", "0"))
    order = sorted(range(COUNT), key=lambda n: -n)
    page = order[start : start + 20]
    token = str(start + 20) if start + 20 < COUNT else None
    return as_json({"total": COUNT, "token": token, "data": [_picked(n, seen) for n in page]})


def _snippets(seen: Seen) -> Reply:
    expect(seen, f"limit fields {_FILTERS}", "query")
    if "fields" in seen.query:
        raise Refused(400, "unsupported snippet fields")
    data = [
        {
            "score": 0.9 - n / 100,
            "paper": {"corpusId": str(n), "title": f"Low-rank adaptation number {n}",
                      "authors": ["E. Hu"], "openAccessInfo": {}},
            "snippet": {"text": f"We set the rank to {n}.", "snippetKind": "body",
                        "section": "Experiments"},
        }
        for n in range(int(seen.query.get("limit", 10)))
    ]  # fmt: skip
    return as_json({"data": data, "retrievalVersion": "1"})


def _one(seen: Seen) -> Reply:
    rest = seen.path.removeprefix("/graph/v1/paper/ARXIV:")
    identifier, _, kind = rest.partition("/")
    if identifier == "2106.00404":
        raise Refused(404, "Paper with id ARXIV:2106.00404 not found")
    if not kind:
        expect(seen, "fields")
        return as_json(_picked(9685 % 100, seen))
    if kind not in ("citations", "references"):
        raise Refused(404, "no such endpoint")
    expect(seen, "fields limit offset")
    limit, offset = int(seen.query.get("limit", 100)), int(seen.query.get("offset", 0))
    if not 1 <= limit <= 1000:
        raise Refused(400, "limit must be <= 1000")
    end = "citingPaper" if kind == "citations" else "citedPaper"
    names = [n for n in seen.query["fields"].split(",") if n not in
             ("contexts", "intents", "isInfluential")]  # fmt: skip
    inner = Seen("GET", seen.path, {"fields": ",".join(names)}, {}, b"")
    data = [
        {
            "contexts": [f"as in [{n}]"],
            "intents": ["methodology"],
            "isInfluential": n % 7 == 0,
            end: _picked(n, inner),
        }
        for n in range(offset, min(COUNT, offset + limit))
    ]
    answer: dict[str, Any] = {"offset": offset, "data": data}
    if offset + limit < COUNT:
        answer["next"] = offset + limit
    return as_json(answer)


def _recommend(seen: Seen) -> Reply:
    rest = seen.path.removeprefix("/recommendations/v1/papers/")
    if seen.method == "POST" and not rest:
        expect(seen, "fields limit")
        body = seen.json()
        if set(body) != {"positivePaperIds", "negativePaperIds"} or not body["positivePaperIds"]:
            raise Refused(400, "bad body")
    elif rest.startswith("forpaper/ARXIV:"):
        expect(seen, "fields limit from")
        if seen.query.get("from", "recent") not in ("recent", "all-cs"):
            raise Refused(400, "bad pool")
    else:
        raise Refused(404, "no such endpoint")
    count = int(seen.query.get("limit", 100))
    return as_json({"recommendedPapers": [_picked(n, seen) for n in range(count)]})


def work(number: int) -> dict[str, Any]:
    """Return a work as OpenAlex has it."""
    return {
        "id": f"https://openalex.org/W{number}",
        "doi": f"https://doi.org/10.48550/arxiv.2106.{number:05d}",
        "display_name": f"Open work {number}",
        "publication_year": 2021,
        "publication_date": "2021-06-17",
        "cited_by_count": 100 - number,
        "abstract_inverted_index": {"rank": [1], "Low": [0], "works": [2]},
        "authorships": [{"author": {"display_name": "E. Hu"}}],
        "primary_location": {"source": {"display_name": "arXiv"}},
        "locations": [{"landing_page_url": f"http://arxiv.org/abs/2106.{number:05d}"}],
        "referenced_works": [f"https://openalex.org/W{n}" for n in (7, 8)],
    }


_OPENALEX_FILTERS = {
    "type", "from_publication_date", "to_publication_date", "cited_by_count",
    "primary_topic.field.id", "cites", "openalex", "open_access.is_oa",
}  # fmt: skip


def openalex(seen: Seen) -> Reply:
    """Answer like api.openalex.org."""
    if seen.path.startswith("/works/doi:10.48550/arXiv."):
        return as_json(work(1))
    if seen.path != "/works":
        raise Refused(404, "not found")
    expect(seen, "search filter sort per_page page mailto")
    for part in filter(None, seen.query.get("filter", "").split(",")):
        if part.partition(":")[0] not in _OPENALEX_FILTERS:
            raise Refused(403, f"{part} is not a valid field")
    if "search" not in seen.query and "relevance" in seen.query.get("sort", ""):
        raise Refused(403, "relevance_score needs search")
    count = int(seen.query.get("per_page", 25))
    start = (int(seen.query.get("page", 1)) - 1) * count
    results = [work(n) for n in range(start, min(60, start + count))]
    return as_json({"meta": {"count": 60, "page": 1, "per_page": count}, "results": results})

"""One paper as every source gives it, and the names that papers go by."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date

from sweeper.research.answer import Result
from sweeper.research.answer import short
from sweeper.research.faults import StrangeAnswerError
from sweeper.research.faults import UsageError

_ARXIV = re.compile(r"(\d{4}\.\d{4,5}|[a-z][a-z-]*(?:\.[A-Z]{2})?/\d{7})(v\d+)?", re.IGNORECASE)
_ARXIV_PLACES = re.compile(
    r"^(?:arxiv:\s*|https?://(?:www\.|export\.)?arxiv\.org/(?:abs|html|pdf)/"
    r"|https?://huggingface\.co/papers/|https?://(?:dx\.)?doi\.org/10\.48550/arxiv\."
    r"|10\.48550/arxiv\.)",
    re.IGNORECASE,
)
_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?")


def arxiv_id(text: str) -> str:
    """Return the arXiv id that `text` names: an id, `arXiv:…`, or a page's URL.

    Raises:
        UsageError: It names none.
    """
    found = arxiv_id_or_none(text)
    if found is None:
        raise UsageError(
            f"{text!r} is no arXiv id.", hint="Write it as 2106.09685 or arXiv:2106.09685."
        )
    return found


def arxiv_id_or_none(text: str | None) -> str | None:
    """Return the arXiv id in `text`, or None."""
    bare = _ARXIV_PLACES.sub("", (text or "").strip()).removesuffix(".pdf")
    match = _ARXIV.fullmatch(bare)
    return match[1] + (match[2] or "") if match else None


def without_version(identifier: str) -> str:
    """Return an arXiv id without its version; indexes know papers, not versions."""
    return re.sub(r"v\d+$", "", identifier)


def day(text: str | None, *, last: bool = False) -> str | None:
    """Return the first (or last) day that YYYY, YYYY-MM or YYYY-MM-DD names, as ISO date.

    Raises:
        UsageError: It is no date.
    """
    if text is None:
        return None
    match = _DATE.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError(text)
        year, month = int(match[1]), int(match[2] or (12 if last else 1))
        if match[3] is None and last:
            following = date(year + month // 12, month % 12 + 1, 1)
            return date.fromordinal(following.toordinal() - 1).isoformat()
        return date(year, month, int(match[3] or 1)).isoformat()
    except ValueError as exc:
        raise UsageError(
            f"{text!r} is no date.", hint="Write YYYY, YYYY-MM or YYYY-MM-DD."
        ) from exc


def paper(
    *,
    title: str,
    arxiv: str | None = None,
    doi: str | None = None,
    year: int | None = None,
    published: str | None = None,
    venue: str | None = None,
    citations: int | None = None,
    influential: int | None = None,
    tldr: str | None = None,
    authors: Iterable[str] = (),
    url: str | None = None,
) -> Result:
    """Return a paper as our JSON has it; None stands for what the source does not know."""
    if published is not None and not re.fullmatch(r"\d{4}-\d{2}-\d{2}", published):
        raise StrangeAnswerError(f"A publication date should be YYYY-MM-DD, not {published!r}.")
    if any(count is not None and count < 0 for count in (citations, influential)):
        raise StrangeAnswerError(f"“{short(title, 80)}” has a negative number of citations.")
    if url is None and arxiv:
        url = f"https://arxiv.org/abs/{arxiv}"
    elif url is None and doi:
        url = f"https://doi.org/{doi}"
    return {
        "title": title,
        "arxiv_id": arxiv,
        "doi": doi,
        "year": int(published[:4]) if year is None and published else year,
        "date": published,
        "venue": venue or None,
        "citations": citations,
        "influential_citations": influential,
        "tldr": tldr,
        "authors": list(authors)[:10],
        "url": url,
    }


def line(found: Result, number: int | None = None) -> str:
    """Return a paper as two or three lines of text."""
    facts = [
        str(found["date"] or found["year"] or "no date"),
        f"arXiv:{found['arxiv_id']}" if found["arxiv_id"] else str(found["url"] or "no link"),
    ]
    if found["citations"] is not None:
        strong = found["influential_citations"]
        extra = f" ({strong} influential)" if strong else ""
        facts.append(f"{found['citations']} citations{extra}")
    if found["venue"]:
        facts.append(short(str(found["venue"]), 60))
    start = f"{number}. " if number is not None else ""
    text = f"{start}{short(str(found['title']), 200)}\n   {' · '.join(facts)}"
    summary = short(str(found["tldr"] or ""), 300)
    return f"{text}\n   {summary}" if summary else text


def lines(found: object, start: int = 0) -> str:
    """Return papers as a numbered list."""
    papers = found if isinstance(found, list) else []
    if not papers:
        return "No paper was found."
    return "\n".join(line(item, start + index + 1) for index, item in enumerate(papers))

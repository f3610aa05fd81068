"""A paper's full text: arXiv's HTML, ar5iv, the Hub's markdown, or the PDF, in that order."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from dataclasses import asdict
from urllib.parse import quote

from sweeper.errors import SweeperError
from sweeper.research.answer import Result
from sweeper.research.faults import NotFoundError
from sweeper.research.faults import ResearchError
from sweeper.research.faults import StrangeAnswerError
from sweeper.research.http import Client
from sweeper.research.messages import Request
from sweeper.research.messages import Response
from sweeper.research.papers import hub
from sweeper.research.papers import latexml
from sweeper.research.papers.latexml import Paper
from sweeper.research.papers.latexml import Section
from sweeper.research.papers.record import without_version
from sweeper.research.services import AR5IV
from sweeper.research.services import ARXIV
from sweeper.research.services import Service

MONTH_S = 30 * 86_400.0
SOURCES = ("arxiv", "ar5iv", "hub", "pdf")
_HEADING = re.compile(
    r"^(?:(?P<number>\d+(?:\.\d+){0,2}|[A-Z](?:\.\d+){1,2})\.?[ \t]+(?P<title>[A-Z][^\n.]{2,70})"
    r"|(?P<bare>Abstract|References|Acknowledge?ments|Appendix(?: [A-Z])?|ABSTRACT|REFERENCES))$",
    re.MULTILINE,
)


def load(client: Client, arxiv: str, source: str) -> Result:
    """Return a paper's text in sections.

    Args:
        client: Asks.
        arxiv: The paper.
        source: One of `SOURCES`, or "auto" for the first that has it.

    Returns:
        title, abstract, sections (number, title, level, text, anchor), source (the title of the
        one that had it), url, and missed: sentences on the sources tried before.

    Raises:
        NotFoundError: None has it; the reasons stand in the message.
    """
    return client.derived(
        ("fulltext", arxiv, source), MONTH_S, lambda: _load(client, arxiv, source)
    )


def _load(client: Client, arxiv: str, source: str) -> Result:
    missed: list[str] = []
    faults: list[ResearchError] = []
    for name in SOURCES if source == "auto" else (source,):
        try:
            paper, title, url = _READERS[name](client, arxiv)
        except ResearchError as exc:
            missed.append(exc.message)
            faults.append(exc)
            continue
        sections = [asdict(section) for section in paper.sections]
        found = {"title": paper.title, "abstract": paper.abstract, "sections": sections}
        return {**found, "source": title, "url": url, "missed": missed}
    raise _nobody(arxiv, faults, missed)


def _nobody(arxiv: str, faults: list[ResearchError], missed: list[str]) -> SweeperError:
    lasting = all(isinstance(exc, NotFoundError | StrangeAnswerError) for exc in faults)
    kind = NotFoundError if lasting else type(faults[-1])
    message = f"The text of arXiv:{arxiv} could not be had: {' '.join(missed)}"
    if kind is NotFoundError:
        return NotFoundError(message, hint="Check the id with `papers.py details`.")
    return ResearchError(message, hint="Some sources were away: ask again later.")


def _from_html(service: Service) -> Callable[[Client, str], tuple[Paper, str, str]]:
    def read(client: Client, arxiv: str) -> tuple[Paper, str, str]:
        asked = Request(
            service,
            f"/html/{quote(arxiv)}",
            headers={"Accept": "text/html"},
            attempts=3,
            patience_s=20,
        )
        paper, url = client.fetch(asked, lambda answer: _parse_html(service, answer))
        return paper, f"{service.title} HTML", url

    return read


def _parse_html(service: Service, answer: Response) -> tuple[Paper, str]:
    text = answer.text
    # ar5iv redirects to arXiv's abstract page when it has no conversion.
    paper = latexml.read(text) if "ltx_" in text else Paper()
    written = sum(len(section.text) for section in paper.sections)
    if not paper.title or written < 200:
        raise NotFoundError(f"{service.title} has no HTML of this paper.")
    return paper, answer.url


def _from_hub(client: Client, arxiv: str) -> tuple[Paper, str, str]:
    text, url = hub.markdown(client, without_version(arxiv))
    paper = from_markdown(text)
    if sum(len(section.text) for section in paper.sections) < 200:
        raise NotFoundError("The Hub has only the abstract of this paper.")
    return paper, "Hugging Face Hub markdown", url


def from_markdown(text: str) -> Paper:
    """Return a markdown paper in sections; headings inside fences are text."""
    paper = Paper()
    kept: list[str] = []
    fenced = False

    def close() -> None:
        body = "\n".join(kept).strip()
        kept.clear()
        if paper.sections:
            paper.sections[-1].text = body
        elif body:
            paper.abstract = body

    for line in text.split("\n"):
        fenced ^= line.lstrip().startswith("```")
        match = None if fenced else re.match(r"(#{1,6})\s+(.+?)\s*#*$", line)
        if match is None:
            kept.append(line)
        elif len(match[1]) == 1 and not paper.title:
            close()
            paper.title = match[2]
        else:
            close()
            paper.sections.append(_section(match[2], max(1, len(match[1]) - 1)))
    close()
    _lift_abstract(paper)
    return paper


def _section(text: str, level: int) -> Section:
    number, title = latexml.heading(text.strip("* "))
    return Section(number, title, max(level, number.count(".") + 1 if number else 1))


def _lift_abstract(paper: Paper) -> None:
    for index, section in enumerate(paper.sections):
        if section.title.lower() == "abstract":
            paper.abstract = section.text
            del paper.sections[index]
            return


def _from_pdf(client: Client, arxiv: str) -> tuple[Paper, str, str]:
    asked = Request(
        ARXIV,
        f"/pdf/{quote(arxiv)}",
        headers={"Accept": "application/pdf"},
        attempts=3,
        patience_s=20,
    )
    pages, url = client.fetch(asked, lambda answer: (_pdf_pages(answer.body), answer.url))
    return from_pages(pages), "arXiv PDF", url


def _pdf_pages(body: bytes) -> list[str]:
    if not body.lstrip().startswith(b"%PDF"):
        raise StrangeAnswerError("arXiv's PDF is no PDF.")
    try:
        from pypdf import PdfReader
    except ImportError as exc:
        raise ResearchError("The PDF cannot be read because pypdf is not installed.") from exc
    import logging

    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        pages = [page.extract_text() for page in PdfReader(io.BytesIO(body)).pages]
    except Exception as exc:  # pypdf raises whatever a damaged file makes it stumble over
        raise StrangeAnswerError(f"The PDF is damaged ({type(exc).__name__}).") from exc
    if sum(len(page) for page in pages) < 200:
        raise NotFoundError("The PDF holds no text, only pictures.")
    return pages


def from_pages(pages: list[str]) -> Paper:
    """Return a PDF's text in sections, by its numbered headings; else one section a page."""
    text = "\n".join(pages)
    matches = list(_HEADING.finditer(text))
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    paper = Paper(title=lines[0][:300])
    if len(matches) < 3:
        paper.sections = [
            Section(str(index + 1), f"Page {index + 1}", 1, page.strip())
            for index, page in enumerate(pages)
        ]
        return paper
    ends = [match.start() for match in matches[1:]] + [len(text)]
    for match, end in zip(matches, ends, strict=True):
        number = match["number"] or ""
        title = (match["title"] or match["bare"]).strip()
        body = text[match.end() : end].strip()
        paper.sections.append(Section(number, title, number.count(".") + 1, body))
    _lift_abstract(paper)
    return paper


_READERS: dict[str, Callable[[Client, str], tuple[Paper, str, str]]] = {
    "arxiv": _from_html(ARXIV),
    "ar5iv": _from_html(AR5IV),
    "hub": _from_hub,
    "pdf": _from_pdf,
}


def select(sections: list[Result], wanted: str) -> tuple[list[Result], list[str]]:
    """Return the section that `wanted` names with its subsections, and other candidates.

    An exact number or title wins, then the shallowest section whose title contains the words.

    Raises:
        NotFoundError: None is named so.
    """
    words = wanted.strip().lower().removeprefix("section ").removeprefix("§").strip().rstrip(".")
    names = [(str(item["number"]).lower(), str(item["title"]).lower()) for item in sections]
    exact = [i for i, name in enumerate(names) if words in (*name, f"{name[0]} {name[1]}")]
    close = [i for i, name in enumerate(names) if words and words in name[1]]
    found = exact or sorted(close, key=lambda i: (_level(sections[i]), i))
    if not found:
        raise NotFoundError(
            f"The paper has no section {wanted!r}.",
            key="--section",
            hint=f"It has: “{'”, “'.join(label(item) for item in sections)[:1500]}”.",
        )
    first = found[0]
    end = first + 1
    while end < len(sections) and _level(sections[end]) > _level(sections[first]):
        end += 1
    return sections[first:end], [label(sections[index]) for index in found[1:6]]


def _level(section: Result) -> int:
    level = section["level"]
    return level if isinstance(level, int) else 1


def label(section: Result) -> str:
    """Return a section's number and title."""
    return f"{section['number']} {section['title']}".strip()

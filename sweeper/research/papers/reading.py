"""Reading a paper: first its contents, then any section whole."""

from __future__ import annotations

import argparse

from sweeper.research.answer import Answer
from sweeper.research.answer import Result
from sweeper.research.answer import short
from sweeper.research.answer import tokens
from sweeper.research.http import Client
from sweeper.research.papers import fulltext
from sweeper.research.papers.record import arxiv_id


def read(client: Client, args: argparse.Namespace) -> Answer:
    """Return a paper's contents, one of its sections with what is below it, or all of it."""
    arxiv = arxiv_id(args.paper)
    paper = fulltext.load(client, arxiv, args.source)
    sections = _records(paper["sections"])
    missed = [str(item) for item in _items(paper["missed"])]
    notes = [f"Not read from the first choice: {' '.join(missed)}"] if missed else []
    shown, others = sections, list[str]()
    if args.section is not None:
        shown, others = fulltext.select(sections, args.section)
    whole = args.section is not None or args.all
    result: Result = {
        "arxiv_id": arxiv,
        "title": paper["title"],
        "url": paper["url"],
        "text_source": paper["source"],
        "abstract": None if args.section is not None else paper["abstract"],
        "section": args.section,
        "others": others,
        "sections": [_shown(item, str(paper["url"]), whole) for item in shown],
    }
    return Answer(result, [str(paper["source"])], notes)


def _shown(section: Result, url: str, whole: bool) -> Result:
    text = str(section["text"])
    return {
        "number": section["number"],
        "title": section["title"],
        "level": section["level"],
        "url": f"{url}#{section['anchor']}" if section["anchor"] else url,
        "tokens": tokens(text),
        "preview": None if whole else short(text, 160),
        "text": text if whole else None,
    }


def show(result: Result) -> str:
    """Show what was read."""
    parts = [f"{result['title']}\n{result['url']} ({result['text_source']})"]
    if result["abstract"]:
        parts.append(f"Abstract\n{result['abstract']}")
    sections = _records(result["sections"])
    if all(item["text"] is None for item in sections):
        parts.append("Contents (read one with --section NUMBER or TITLE, or all with --all)")
        parts.append("\n".join(_entry(item) for item in sections))
        return "\n\n".join(parts)
    for item in sections:
        mark = "#" * (1 + _level(item))
        parts.append(f"{mark} {fulltext.label(item)}\n{item['text']}")
    if others := _items(result["others"]):
        parts.append(f"Other sections of that name: {'; '.join(map(str, others))}.")
    return "\n\n".join(parts)


def _entry(item: Result) -> str:
    indent = "  " * (_level(item) - 1)
    return f"{indent}{fulltext.label(item)} (~{item['tokens']} tokens): {item['preview']}"


def _level(item: Result) -> int:
    level = item["level"]
    return level if isinstance(level, int) else 1


def _items(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _records(value: object) -> list[Result]:
    return [item for item in _items(value) if isinstance(item, dict)]

"""Following a paper: who cites it and what it cites, the most influential and recent first."""

from __future__ import annotations

import argparse
import math

from sweeper.research.answer import Answer
from sweeper.research.answer import More
from sweeper.research.answer import Result
from sweeper.research.answer import short
from sweeper.research.answer import stamp
from sweeper.research.faults import ResearchError
from sweeper.research.http import Client
from sweeper.research.papers import openalex
from sweeper.research.papers import semantic_scholar as s2
from sweeper.research.papers.finding import AWAY
from sweeper.research.papers.finding import neither
from sweeper.research.papers.record import arxiv_id
from sweeper.research.papers.record import line
from sweeper.research.papers.record import without_version
from sweeper.research.papers.semantic_scholar import Edges
from sweeper.research.services import OPENALEX
from sweeper.research.services import S2

RANKING = (
    "score = (3 if the citation is influential, else 1) x log2(2 + citations + 4 x influential "
    "citations) x 0.5^(age / 5 years)"
)
_HALF_LIFE_YEARS = 5.0


def citation_graph(client: Client, args: argparse.Namespace) -> Answer:
    """Return ranked citations and references of a paper."""
    arxiv = without_version(arxiv_id(args.paper))
    directions = ["citations", "references"] if args.direction == "both" else [args.direction]
    year = int(stamp(client.clock.now())[:4])
    answer = Answer({"arxiv_id": arxiv, "ranking": RANKING}, [])
    for direction in directions:
        edges = _edges(client, arxiv, direction, args, answer)
        ranked = sorted(edges.papers, key=lambda edge: -score(edge, year))
        for edge in ranked:
            edge["score"] = round(score(edge, year), 2)
        shown = ranked[args.offset : args.offset + args.limit]
        answer.result[direction] = {
            "read": len(ranked),
            "all_read": not edges.more,
            "offset": args.offset,
            "papers": shown,
        }
        _say_what_is_left(answer, direction, args, edges, len(shown))
    return answer


def _edges(
    client: Client, arxiv: str, direction: str, args: argparse.Namespace, answer: Answer
) -> Edges:
    try:
        found = s2.edges(client, arxiv, direction, most=args.scan)
    except AWAY as exc:
        found = _openalex_edges(client, arxiv, direction, args.scan, exc)
        answer.fallback = (
            f"OpenAlex stands in for Semantic Scholar ({exc.message}) It does not know which "
            "citations are influential, nor their contexts."
        )
        answer.complete = False
        _once(answer.source, OPENALEX.title)
        return found
    _once(answer.source, S2.title)
    return found


def _openalex_edges(
    client: Client, arxiv: str, direction: str, most: int, away: ResearchError
) -> Edges:
    try:
        return openalex.edges(client, arxiv, direction, most=most)
    except ResearchError as exc:
        raise neither(away, exc) from exc


def _once(names: list[str], name: str) -> None:
    if name not in names:
        names.append(name)


def _say_what_is_left(
    answer: Answer, direction: str, args: argparse.Namespace, edges: Edges, shown: int
) -> None:
    end, read = args.offset + shown, len(edges.papers)
    if end < read:
        options = {"--offset": str(end), "--direction": direction}
        answer.more.append(More(f"{direction} from {end + 1} of {read}", options))
    if edges.untitled:
        answer.notes.append(f"{edges.untitled} {direction} without a title were left out.")
    if edges.more:
        answer.notes.append(
            f"Only {read} {direction} were read and ranked; there are more (--scan reads further)."
        )


def score(edge: Result, year: int) -> float:
    """Return how much a neighbour in the graph deserves attention (`RANKING`)."""
    citations, strong = _number(edge["citations"]), _number(edge["influential_citations"])
    age = max(0.0, year - _number(edge["year"])) if edge["year"] else 2 * _HALF_LIFE_YEARS
    weight = 3.0 if edge["is_influential"] else 1.0
    freshness = math.pow(0.5, age / _HALF_LIFE_YEARS)
    return weight * math.log2(2 + citations + 4 * strong) * freshness


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def show_graph(result: Result) -> str:
    """Show citations and references."""
    parts = [f"arXiv:{result['arxiv_id']}; {result['ranking']}"]
    for direction in ("citations", "references"):
        group = result.get(direction)
        if not isinstance(group, dict):
            continue
        parts.append(f"\n{direction} ({group['read']} read):")
        if not group["papers"]:
            parts.append("none")
        for index, edge in enumerate(group["papers"]):
            parts.append(_edge(edge, group["offset"] + index + 1))
    return "\n".join(parts)


def _edge(edge: Result, number: int) -> str:
    marks = ["influential"] if edge["is_influential"] else []
    intents = edge["intents"]
    marks += intents if isinstance(intents, list) else []
    text = line(edge, number)
    if marks:
        text += f"\n   [{', '.join(map(str, marks))}]"
    contexts = edge["contexts"]
    for context in contexts[:1] if isinstance(contexts, list) else []:
        text += f"\n   “{short(context, 200)}”"
    return text

"""papers.py: its operations and their arguments."""

from __future__ import annotations

from collections.abc import Callable

from sweeper.research.arguments import add_limit
from sweeper.research.arguments import add_offset
from sweeper.research.arguments import nonempty
from sweeper.research.arguments import whole
from sweeper.research.door import Operation
from sweeper.research.door import Parser
from sweeper.research.door import Script
from sweeper.research.papers import around
from sweeper.research.papers import finding
from sweeper.research.papers import following
from sweeper.research.papers import fulltext
from sweeper.research.papers import reading
from sweeper.research.papers import recipes

_HOUR_S = 3600.0
_DAY_S = 24 * _HOUR_S
_PAPER = "arXiv id, arXiv:… or a URL of arXiv or the Hub's papers"
RESOURCES = ("datasets", "models", "collections")


def _filters(parser: Parser) -> None:
    parser.add_argument("--since", metavar="DATE", help="first day: YYYY, YYYY-MM or YYYY-MM-DD")
    parser.add_argument("--until", metavar="DATE", help="last day")
    parser.add_argument("--min-citations", type=whole(0, 10**7), help="fewest citations")
    parser.add_argument(
        "--fields", help="fields of study, comma separated, e.g. 'Computer Science'"
    )


def _search(parser: Parser) -> None:
    parser.add_argument("query", type=nonempty)
    _filters(parser)
    parser.add_argument("--sort", choices=["relevance", "citations", "date"], default="relevance")
    parser.add_argument(
        "--source",
        choices=["auto", "s2", "openalex", "hub"],
        default="auto",
        help="auto: Semantic Scholar; OpenAlex stands in, and says so, when it is away",
    )
    add_limit(parser)
    add_offset(parser)


def _trending(parser: Parser) -> None:
    parser.add_argument("--query", help="only papers that mention this")
    parser.add_argument("--date", metavar="DATE", help="the day, YYYY-MM-DD (default: today)")
    add_limit(parser)


def _paper(parser: Parser) -> None:
    parser.add_argument("paper", help=_PAPER)


def _read(parser: Parser) -> None:
    _paper(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--section", type=nonempty, help="number or title; its subsections come with it"
    )
    what.add_argument("--all", action="store_true", help="the whole paper, page by page")
    parser.add_argument(
        "--source",
        choices=["auto", *fulltext.SOURCES],
        default="auto",
        help="auto: arXiv's HTML, ar5iv, the Hub's markdown, the PDF; the first that has it",
    )


def _graph(parser: Parser) -> None:
    _paper(parser)
    parser.add_argument("--direction", choices=["citations", "references", "both"], default="both")
    parser.add_argument(
        "--scan",
        type=whole(1, 9000),
        default=1000,
        help="how many of each direction are read and ranked (default 1000)",
    )
    add_limit(parser)
    add_offset(parser)


def _snippets(parser: Parser) -> None:
    parser.add_argument("query", type=nonempty)
    _filters(parser)
    add_limit(parser)


def _recommend(parser: Parser) -> None:
    parser.add_argument("paper", nargs="+", help=f"one or several: {_PAPER}")
    parser.add_argument(
        "--unlike", nargs="+", default=[], metavar="PAPER", help="papers to stay away from"
    )
    parser.add_argument(
        "--pool",
        choices=["recent", "all-cs"],
        default="recent",
        help="where one paper's likes are looked for (default recent)",
    )
    add_limit(parser)


def _resources(sorts: bool) -> Callable[[Parser], None]:
    def declare(parser: Parser) -> None:
        _paper(parser)
        if sorts:
            parser.add_argument(
                "--sort", choices=["downloads", "likes", "trending"], default="downloads"
            )
        add_limit(parser)

    return declare


def _recipes(parser: Parser) -> None:
    parser.add_argument("file", nargs="?", default="recipes.json", help="default recipes.json")
    parser.add_argument(
        "--verify", action="store_true", help="look every figure up in its section"
    )
    parser.add_argument("--form", action="store_true", help="print the file's JSON Schema")


PAPERS = Script(
    "papers.py",
    "Reads the literature: Semantic Scholar, OpenAlex, arXiv, ar5iv and the Hub's papers.",
    (
        Operation("search", "find papers", _search, finding.search, finding.show_search, _DAY_S),
        Operation(
            "trending",
            "the Hub's daily papers",
            _trending,
            finding.trending,
            finding.show_trending,
            _HOUR_S / 4,
        ),
        Operation(
            "details",
            "one paper: authors, abstract, TL;DR, citations, code",
            _paper,
            finding.details,
            finding.show_details,
            _DAY_S,
        ),
        Operation(
            "read",
            "a paper's contents, then any section whole",
            _read,
            reading.read,
            reading.show,
            30 * _DAY_S,
        ),
        Operation(
            "citation-graph",
            "who cites it and what it cites, the most influential and recent first",
            _graph,
            following.citation_graph,
            following.show_graph,
            _DAY_S,
        ),
        Operation(
            "snippet-search",
            "passages inside papers",
            _snippets,
            finding.snippet_search,
            finding.show_snippets,
            _DAY_S,
        ),
        Operation(
            "recommend",
            "papers like one, or like some and unlike others",
            _recommend,
            around.recommend,
            around.show_recommended,
            _DAY_S,
        ),
        *(
            Operation(
                f"find-{kind}",
                f"{kind} on the Hub that name the paper",
                _resources(kind != "collections"),
                around.resources((kind,)),
                around.show_resources,
                _DAY_S,
            )
            for kind in RESOURCES
        ),
        Operation(
            "find-all-resources",
            "data sets, models and collections on the Hub at once",
            _resources(True),
            around.resources(RESOURCES),
            around.show_resources,
            _DAY_S,
        ),
        Operation(
            "recipes",
            "check a recipe file and print the ranked table",
            _recipes,
            recipes.recipes,
            recipes.show,
        ),
    ),
    "papers.json",
)

"""hf_docs.py: its operations and their arguments."""

from __future__ import annotations

from sweeper.research.arguments import add_limit
from sweeper.research.arguments import add_offset
from sweeper.research.arguments import nonempty
from sweeper.research.docs import endpoints
from sweeper.research.docs import libraries
from sweeper.research.door import Operation
from sweeper.research.door import Parser
from sweeper.research.door import Script


def _explore(parser: Parser) -> None:
    parser.add_argument("library", help=f"one of {', '.join(libraries.LIBRARIES)}")
    parser.add_argument("--query", type=nonempty, help="rank the pages against this")
    parser.add_argument(
        "--deep",
        action="store_true",
        help=f"read every page, not only the {libraries.READ_AT_MOST} likeliest",
    )
    add_limit(parser, 20, 50)
    add_offset(parser)


def _fetch(parser: Parser) -> None:
    parser.add_argument(
        "page_url",
        metavar="PAGE",
        type=nonempty,
        help="address of a docs page, or its path, e.g. trl/sft_trainer",
    )


def _find_api(parser: Parser) -> None:
    parser.add_argument("query", nargs="?", help="what the endpoint does")
    parser.add_argument("--tag", help="only endpoints with this tag")
    add_limit(parser, 10, 20)


HF_DOCS = Script(
    "hf_docs.py",
    "Reads the current documentation of the Hugging Face libraries and of the Hub's REST API.",
    (
        Operation(
            "explore",
            "a library's pages, ranked against a query",
            _explore,
            libraries.explore,
            libraries.show_pages,
            86_400.0,
        ),
        Operation(
            "fetch",
            "one page as markdown",
            _fetch,
            libraries.fetch,
            libraries.show_page,
            libraries.WEEK_S,
        ),
        Operation(
            "find-api",
            "REST endpoints of the Hub",
            _find_api,
            endpoints.find_api,
            endpoints.show,
            86_400.0,
        ),
    ),
    "hf_docs.json",
)

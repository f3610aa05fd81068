"""github.py: its operations and their arguments."""

from __future__ import annotations

from sweeper.research.arguments import add_limit
from sweeper.research.arguments import add_offset
from sweeper.research.arguments import nonempty
from sweeper.research.door import Operation
from sweeper.research.door import Parser
from sweeper.research.door import Script
from sweeper.research.github import finding
from sweeper.research.github import names
from sweeper.research.github import reading

_HOUR_S = 3600.0


def _examples(parser: Parser) -> None:
    parser.add_argument("repo", type=names.repo, help="owner/name")
    parser.add_argument("--keyword", type=nonempty, help="what the example is about, e.g. grpo")
    parser.add_argument("--ref", help="branch, tag or commit (default: the default branch)")
    add_limit(parser, 20, 50)
    add_offset(parser)


def _read(parser: Parser) -> None:
    parser.add_argument("repo", help="owner/name, or the address of a file's page")
    parser.add_argument("path", nargs="?", help="path in the repository")
    parser.add_argument("--ref", help="branch, tag or commit")
    parser.add_argument(
        "--lines",
        type=names.line_range,
        metavar="A-B",
        help=f"lines, counted from 1 (default 1-{reading.LINES}; `1-` is all)",
    )


def _repos(parser: Parser) -> None:
    parser.add_argument("owner", type=names.owner, help="user or organisation")
    parser.add_argument(
        "--sort",
        choices=["stars", "forks", "updated", "created", "pushed", "name"],
        default="stars",
    )
    parser.add_argument("--language", help="only this language")
    add_limit(parser, 30, 100)
    add_offset(parser)


def _code(parser: Parser) -> None:
    parser.add_argument("query", type=nonempty)
    parser.add_argument("--repo", type=names.repo, help="only in this repository")
    parser.add_argument("--owner", type=names.owner, help="only of this owner")
    parser.add_argument("--language")
    parser.add_argument("--path", help="only under this path")
    parser.add_argument("--filename")
    add_limit(parser, 10, 100)
    add_offset(parser)


GITHUB_SCRIPT = Script(
    "github.py",
    "Finds and reads working code on GitHub: anonymously, then with a token, then with gh's.",
    (
        Operation(
            "find-examples",
            "example files of a repository",
            _examples,
            finding.find_examples,
            finding.show_examples,
            _HOUR_S,
        ),
        Operation(
            "read-file",
            "a file: line ranges, notebooks as markdown, large files too",
            _read,
            reading.read_file,
            reading.show,
            _HOUR_S,
        ),
        Operation(
            "list-repos",
            "repositories of an owner",
            _repos,
            finding.list_repos,
            finding.show_repos,
            _HOUR_S,
        ),
        Operation(
            "search-code",
            "code that contains a text (needs an account)",
            _code,
            finding.search_code,
            finding.show_code,
            _HOUR_S,
        ),
    ),
    "github.json",
)

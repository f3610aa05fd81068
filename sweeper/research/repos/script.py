"""hf_repo.py: its operations and their arguments."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable

from sweeper.research import generations
from sweeper.research.answer import Answer
from sweeper.research.answer import Result
from sweeper.research.arguments import add_limit
from sweeper.research.arguments import add_offset
from sweeper.research.arguments import nonempty
from sweeper.research.arguments import whole
from sweeper.research.door import Operation
from sweeper.research.door import Parser
from sweeper.research.door import Script
from sweeper.research.http import Client
from sweeper.research.repos import reading
from sweeper.research.repos import writing

_MINUTE_S = 60.0
_Call = Callable[[Client, argparse.Namespace], Answer]
_Declare = Callable[[Parser], None]


def _repo_name(text: str) -> str:
    name = re.sub(r"^https?://(huggingface\.co|hf\.co)/((models|datasets|spaces)/)?", "", text)
    if not re.fullmatch(r"[\w.-]{1,96}(/[\w.-]{1,96})?", name.strip("/")) or ".." in name:
        raise argparse.ArgumentTypeError(f"is no repository (owner/name): {text!r}")
    return name.strip("/")


def _path(text: str) -> str:
    name = text.strip().strip("/")
    if not name or any(part in ("", ".", "..") for part in name.split("/")):
        raise argparse.ArgumentTypeError(f"is no path in a repository: {text!r}")
    return name


def _reads(declare: _Declare | None = None) -> _Declare:
    def arguments(parser: Parser) -> None:
        parser.add_argument("repo", type=_repo_name, help="owner/name")
        parser.add_argument("--type", choices=["model", "dataset", "space"], default="model")
        if declare is not None:
            declare(parser)

    return arguments


def _writes(declare: _Declare | None = None) -> _Declare:
    def arguments(parser: Parser) -> None:
        _reads(declare)(parser)
        gate = parser.add_argument_group("what allows the write")
        gate.add_argument(
            "--program", metavar="PATH", help="program.md or its folder (default: here)"
        )
        gate.add_argument(
            "--yes",
            action="store_true",
            help="a person allowed this very call; counts only where no program.md stands",
        )

    return arguments


def _revision(parser: Parser) -> None:
    parser.add_argument("--revision", default="main", help="branch, tag or commit (default main)")


def _list(parser: Parser) -> None:
    _revision(parser)
    parser.add_argument("--path", type=_path, help="only below this folder")
    parser.add_argument("--glob", help="only paths that match, e.g. '*.safetensors'")
    add_limit(parser, 100, 1000)
    add_offset(parser)


def _read(parser: Parser) -> None:
    parser.add_argument("path", type=_path, help="path in the repository")
    _revision(parser)
    parser.add_argument(
        "--offset", type=whole(0, 10**13), default=0, help="byte to begin at (default 0)"
    )


def _commit(parser: Parser) -> None:
    _revision(parser)
    parser.add_argument("--message", type=nonempty, help="first line of the commit")
    parser.add_argument("--create-pr", action="store_true", help="as a pull request")


def _upload(parser: Parser) -> None:
    parser.add_argument("local", help="file or folder on this machine; any content, any size")
    parser.add_argument("--path", type=_path, help="where it goes (default: its own name)")
    _commit(parser)


def _delete(parser: Parser) -> None:
    parser.add_argument("patterns", nargs="+", type=_path, help="paths, or patterns like *.bin")
    _commit(parser)


def _exist_ok(parser: Parser) -> None:
    parser.add_argument("--exist-ok", action="store_true", help="no error if it is there already")


def _name(parser: Parser) -> None:
    parser.add_argument("name", type=nonempty)


def _branch(parser: Parser) -> None:
    _name(parser)
    parser.add_argument("--revision", help="where it begins (default: the default branch)")
    _exist_ok(parser)


def _tag(parser: Parser) -> None:
    _name(parser)
    _revision(parser)
    parser.add_argument("--message", type=nonempty)
    _exist_ok(parser)


def _refs(parser: Parser) -> None:
    parser.add_argument("--pull-requests", action="store_true", help="those of pull requests too")


def _pr_list(parser: Parser) -> None:
    parser.add_argument("--status", choices=["open", "closed", "all"], default="open")
    parser.add_argument("--author")
    parser.add_argument("--discussions", action="store_true", help="discussions instead")
    add_limit(parser, 20, 100)
    add_offset(parser)


def _num(parser: Parser) -> None:
    parser.add_argument("num", type=whole(1, 10**9), help="its number")


def _num_comment(parser: Parser) -> None:
    _num(parser)
    parser.add_argument("--comment", type=nonempty)


def _pr_create(parser: Parser) -> None:
    parser.add_argument("--title", type=nonempty, required=True)
    parser.add_argument("--description", default="", help="markdown")


def _pr_comment(parser: Parser) -> None:
    _num(parser)
    parser.add_argument("comment", type=nonempty, help="markdown")


def _pr_status(parser: Parser) -> None:
    _num(parser)
    parser.add_argument("status", choices=["open", "closed"])
    parser.add_argument("--comment", type=nonempty)


def _create(parser: Parser) -> None:
    parser.add_argument("--public", action="store_true", help="public (default: private)")
    parser.add_argument("--space-sdk", choices=["gradio", "streamlit", "docker", "static"])
    _exist_ok(parser)


def _update(parser: Parser) -> None:
    parser.add_argument("--visibility", choices=["public", "private"])
    parser.add_argument("--gated", choices=["auto", "manual", "off"])


def _generation(args: argparse.Namespace) -> str:
    return generations.of(f"{args.type}/{args.repo}")


def _reading(
    name: str, about: str, declare: _Declare | None, call: _Call, show: Callable[[Result], str]
) -> Operation:
    return Operation(name, about, _reads(declare), call, show, _MINUTE_S, _generation)


def _writing(name: str, about: str, declare: _Declare | None, call: _Call) -> Operation:
    return Operation(name, about, _writes(declare), call, writing.show)


HF_REPO = Script(
    "hf_repo.py",
    "Reads and changes repositories on the Hub. A write must be covered by output_repos (and "
    "allow_deletes) of the program.md that stands here, or by a person's --yes where none does.",
    (
        _reading("files list", "files with sizes", _list, reading.files_list, reading.show_files),
        _reading("files read", "a file's text", _read, reading.files_read, reading.show_file),
        _writing("files upload", "upload a file or folder", _upload, writing.files_upload),
        _writing("files delete", "delete files", _delete, writing.files_delete),
        _writing("branch create", "create a branch", _branch, writing.branch_create),
        _writing("branch delete", "delete a branch", _name, writing.branch_delete),
        _writing("tag create", "tag a revision", _tag, writing.tag_create),
        _writing("tag delete", "delete a tag", _name, writing.tag_delete),
        _reading("refs list", "branches and tags", _refs, reading.refs_list, reading.show_refs),
        _writing("pr create", "open a draft pull request", _pr_create, writing.pr_create),
        _reading("pr list", "pull requests", _pr_list, reading.prs_list, reading.show_prs),
        _reading("pr get", "one pull request", _num, reading.pr_get, reading.show_pr),
        _writing("pr merge", "merge a pull request", _num_comment, writing.pr_merge),
        _writing("pr close", "close a pull request", _num_comment, writing.pr_close),
        _writing("pr comment", "comment on one", _pr_comment, writing.pr_comment),
        _writing("pr status", "open or close one", _pr_status, writing.pr_status),
        _writing("repo create", "create a repository", _create, writing.repo_create),
        _writing("repo update", "visibility and gating", _update, writing.repo_update),
    ),
    "hf_repo.json",
)

"""The door of every research script: parse, call, print.

Exit 0 done, 1 refused or failed with the reason on stderr (and as a JSON document on stdout with
`--json`), 2 wrong usage. The second identical call is answered from disk without an import of the
HTTP client.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path
from typing import Any
from typing import NoReturn

from sweeper.errors import SweeperError
from sweeper.research import answer as answers
from sweeper.research import services
from sweeper.research.answer import Answer
from sweeper.research.answer import More
from sweeper.research.answer import Result
from sweeper.research.cache import Cache
from sweeper.research.cache import identity
from sweeper.research.cache import key_of
from sweeper.research.faults import UsageError
from sweeper.research.http import Client
from sweeper.research.redaction import redact
from sweeper.research.redaction import redact_tree

_PARTIAL_AGE_S = 300.0
_PRESENTATION = ("json", "page", "max_tokens", "fresh", "timeout", "quiet", "schema", "operation")
SCHEMAS = Path(__file__).parent / "schemas"


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing a script can do.

    Attributes:
        name: Its words on the command line.
        about: One sentence for `--help`.
        arguments: Declares its arguments.
        call: Does it.
        render: Shows its result as text.
        age_s: Seconds that its answer is good for; 0 is never kept.
        generation: Name of something whose changes make kept answers worthless, or "".
    """

    name: str
    about: str
    arguments: Callable[[Parser], None]
    call: Callable[[Client, argparse.Namespace], Answer]
    render: Callable[[Result], str]
    age_s: float = 0.0
    generation: Callable[[argparse.Namespace], str] = field(default=lambda _: "")


@dataclass(frozen=True, slots=True)
class Script:
    """A script: its name, what it is for, and its operations.

    Attributes:
        name: File name.
        about: What it is for.
        operations: What it can do.
        schema: File in `schemas/` that describes `--json`.
        default: Operation meant when the first word is none of them, or "".
    """

    name: str
    about: str
    operations: tuple[Operation, ...]
    schema: str
    default: str = ""


class Once(argparse.Action):
    """Stores a value; an option given twice is an error, never a silent choice."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        """Store the value."""
        seen = namespace.__dict__.setdefault("once", set())
        if option_string and self.dest in seen:
            parser.error(f"{option_string} is given twice")
        seen.add(self.dest)
        setattr(namespace, self.dest, values)


class Parser(argparse.ArgumentParser):
    """argparse without abbreviations, with errors that are ours."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)
        self.register("action", None, Once)

    def error(self, message: str) -> NoReturn:
        """Raise a `UsageError` that shows the usage."""
        raise UsageError(f"{message[:1].upper()}{message[1:]}.", hint=self.format_usage().strip())


def main(script: Script, argv: Sequence[str]) -> int:
    """Run one call of a script and return its exit code."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    as_json = "--json" in argv
    try:
        return _run(script, list(argv))
    except UsageError as exc:
        return _fail(script, exc, as_json, 2)
    except SweeperError as exc:
        return _fail(script, exc, as_json, 1)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return _fail(script, SweeperError("Interrupted."), as_json, 1)
    except Exception as exc:  # the last door: a defect of ours is a sentence too
        if os.environ.get("SWEEPER_DEBUG"):
            raise
        return _fail(script, _defect(script, exc), as_json, 1)


def _defect(script: Script, exc: Exception) -> SweeperError:
    return SweeperError(
        f"{script.name} met something it does not handle: {type(exc).__name__}: {exc}.",
        hint="SWEEPER_DEBUG=1 shows where. Please report it.",
    )


def _fail(script: Script, exc: SweeperError, as_json: bool, code: int) -> int:
    known = _secrets()
    hint = f" {exc.hint}" if exc.hint else ""
    text = redact(answers.clean(f"{exc.message}{hint}"), known)
    if as_json:
        document = redact_tree(answers.clean_tree(exc.as_document()), known)
        print(json.dumps(document, ensure_ascii=False))
    print(f"{script.name}: {text}", file=sys.stderr)
    return code


def _secrets() -> tuple[str, ...]:
    try:
        return services.Accounts().secrets()
    except SweeperError:
        return ()


def _run(script: Script, argv: list[str]) -> int:
    if "--schema" in argv:
        print((SCHEMAS / script.schema).read_text(encoding="utf-8"), end="")
        return 0
    args = _parse(script, argv)
    operation: Operation = args.operation
    with Client(timeout_s=args.timeout, fresh=args.fresh, quiet=args.quiet) as client:
        document = _document(script, operation, client, args)
        if args.json:
            print(json.dumps(_outward(document, client), ensure_ascii=False, allow_nan=False))
        else:
            print(_text(script, operation, document, client, args, argv))
    return 0


def _parse(script: Script, argv: list[str]) -> argparse.Namespace:
    words = {operation.name.split()[0] for operation in script.operations}
    if script.default and argv and not argv[0].startswith("-") and argv[0] not in words:
        argv.insert(0, script.default)
    args = parser_of(script).parse_args(argv)
    if args.max_tokens < 500:
        raise UsageError("--max-tokens is at least 500.", key="--max-tokens")
    if args.page < 1:
        raise UsageError("--page counts from 1.", key="--page")
    if args.timeout is not None and not 1 <= args.timeout <= 3600:
        raise UsageError("--timeout is between 1 and 3600 seconds.", key="--timeout")
    return args


def parser_of(script: Script) -> Parser:
    """Return the whole command line of a script."""
    parser = Parser(
        prog=script.name,
        description=script.about,
        epilog="exit codes: 0 done, 1 refused or failed, 2 wrong usage\n\n" + services.help_text(),
    )
    parser.add_argument(
        "--schema", action="store_true", help="print the JSON Schema of --json and stop"
    )
    groups = {"": parser.add_subparsers(title="operations", metavar="OPERATION", required=True)}
    for operation in script.operations:
        *outer, last = operation.name.split()
        group = " ".join(outer)
        if group not in groups:
            door = groups[""].add_parser(group, help=f"{group}: …")
            groups[group] = door.add_subparsers(metavar="OPERATION", required=True)
        _add(groups[group], last, operation)
    return parser


def _add(subparsers: Any, word: str, operation: Operation) -> None:
    parser: Parser = subparsers.add_parser(word, help=operation.about, description=operation.about)
    operation.arguments(parser)
    shown = parser.add_argument_group("answer")
    shown.add_argument("--json", action="store_true", help="one JSON document on stdout")
    shown.add_argument("--page", type=int, default=1, help="page of the text (default 1)")
    shown.add_argument(
        "--max-tokens",
        type=int,
        default=answers.DEFAULT_TOKENS,
        help=f"tokens a page may take (default {answers.DEFAULT_TOKENS})",
    )
    shown.add_argument("--fresh", action="store_true", help="ask again instead of reading disk")
    shown.add_argument("--timeout", type=float, help="seconds the call may take (default 100)")
    shown.add_argument("--quiet", action="store_true", help="no progress on stderr")
    parser.set_defaults(operation=operation)


def _document(
    script: Script, operation: Operation, client: Client, args: argparse.Namespace
) -> Result:
    cache = Cache()
    key = _answer_key(script, operation, client, args)
    if not args.fresh and operation.age_s > 0:
        entry = cache.load(key, operation.age_s)
        if entry is not None:
            kept: Result = json.loads(entry[1])
            if client.clock.now() - entry[0] <= _as_float(kept.pop("keep_s")):
                return {**kept, "from_disk": True}
    found = operation.call(client, args)
    document = _as_document(operation, found, client)
    if operation.age_s > 0:
        keep_s = operation.age_s if found.complete else min(operation.age_s, _PARTIAL_AGE_S)
        cache.keep(key, json.dumps({**document, "keep_s": keep_s}).encode())
    return document


def _as_float(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _answer_key(
    script: Script, operation: Operation, client: Client, args: argparse.Namespace
) -> str:
    asked = {
        name: value
        for name, value in vars(args).items()
        if name not in _PRESENTATION and name != "once"
    }
    accounts = client.accounts
    bases = [accounts.base(service) for service in services.ALL]
    who = [identity(accounts.secret(service)) for service in services.ALL]
    generation = operation.generation(args)
    return key_of(script.name, operation.name, asked, bases, who, generation)


def _as_document(operation: Operation, found: Answer, client: Client) -> Result:
    read_at = client.oldest_at or client.clock.now()
    return {
        "operation": operation.name,
        "source": found.source,
        "read_at": answers.stamp(read_at),
        "from_disk": False,
        "fallback": found.fallback,
        "notes": found.notes,
        "web_text": answers.WEB_TEXT if found.web else None,
        "result": found.result,
        "more": [{"what": more.what, "options": more.options} for more in found.more],
    }


def _outward(document: Result, client: Client) -> Result:
    shown = redact_tree(answers.clean_tree(document), client.accounts.secrets())
    assert isinstance(shown, dict)
    return shown


def _text(
    script: Script,
    operation: Operation,
    document: Result,
    client: Client,
    args: argparse.Namespace,
    argv: list[str],
) -> str:
    shown = _outward(document, client)
    result = shown["result"]
    assert isinstance(result, dict)
    text = redact(operation.render(result), client.accounts.secrets()).rstrip()
    pages = answers.pages(text, answers.body_tokens(args.max_tokens))
    if args.page > len(pages):
        raise UsageError(f"There are only {len(pages)} pages.", key="--page")
    page = pages[args.page - 1]
    source = ", ".join(_texts(shown["source"])) or "this machine"
    body = answers.fence(page, source) if shown["web_text"] else page
    return "\n".join(
        [
            _head(script, operation, shown, client, source),
            body,
            *_feet(script, shown, args, argv, len(pages)),
        ]
    )


def _head(script: Script, operation: Operation, shown: Result, client: Client, source: str) -> str:
    age = ""
    if shown["from_disk"]:
        from datetime import datetime

        read_at = datetime.fromisoformat(str(shown["read_at"])).timestamp()
        since = answers.ago(client.clock.now() - read_at)
        age = f" · from disk, {since} old (--fresh asks again)"
    lines = [f"{script.name.removesuffix('.py')} {operation.name} · {source}{age}"]
    if shown["fallback"]:
        lines.append(f"Fallback: {shown['fallback']}")
    lines += [f"Note: {answers.short(note, 400)}" for note in _texts(shown["notes"])[:8]]
    return "\n".join(lines)


def _feet(
    script: Script, shown: Result, args: argparse.Namespace, argv: list[str], count: int
) -> list[str]:
    lines = []
    if count > args.page:
        more = More("Next", {"--page": str(args.page + 1)})
        lines.append(f"Page {args.page} of {count}. {_way(script, argv, more)}")
    elif count > 1:
        lines.append(f"Page {args.page} of {count}, the last.")
    entries = shown["more"]
    for entry in entries if isinstance(entries, list) else []:
        lines.append("More: " + _way(script, argv, More(entry["what"], entry["options"])))
    return lines


def _way(script: Script, argv: list[str], more: More) -> str:
    kept: list[str] = []
    rest = list(argv)
    dropped = {*more.options, "--page"}
    while rest:
        word = rest.pop(0)
        name, equals, _ = word.partition("=")
        if name in dropped:
            if not equals and rest:
                rest.pop(0)
        else:
            kept.append(word)
    added = [part for option in more.options.items() for part in option if part]
    return f"{more.what}: {script.name} {shlex.join([*kept, *added])}"


def _texts(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []

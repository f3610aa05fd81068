"""One file of a repository: line ranges, notebooks as markdown, files over 1 MB."""

from __future__ import annotations

import argparse
import base64
import binascii
import json
import re

from sweeper.research.answer import Answer
from sweeper.research.answer import More
from sweeper.research.answer import Result
from sweeper.research.faults import NotFoundError
from sweeper.research.faults import ResearchError
from sweeper.research.faults import StrangeAnswerError
from sweeper.research.faults import UsageError
from sweeper.research.fields import Fields
from sweeper.research.fields import decode
from sweeper.research.fields import records
from sweeper.research.github import access
from sweeper.research.github import names
from sweeper.research.http import Client
from sweeper.research.messages import Response
from sweeper.research.services import GITHUB

LINES = 300
_RAW_LIMIT = 100_000_000


def read_file(client: Client, args: argparse.Namespace) -> Answer:
    """Return lines of a file."""
    place = names.place(args.repo)
    if place is None:
        if not args.path:
            raise UsageError("Give owner/name and a path, or the address of a file's page.")
        place = names.Place(_repo(args.repo), args.ref or "", args.path, None)
    elif args.path:
        raise UsageError("The address already names the path.", key="path")
    lines = args.lines or (names.line_range(place.lines) if place.lines else (1, LINES))
    ref = args.ref or place.ref
    body, size, url = _body(client, place.repo, place.path, ref)
    text, notes = _as_text(place.path, body)
    return _cut(place, ref, text, size, url, lines, notes)


def _repo(text: str) -> str:
    try:
        return names.repo(text)
    except argparse.ArgumentTypeError as exc:
        raise UsageError(f"The repository {exc}.", key="repo") from exc


def _body(client: Client, repo: str, path: str, ref: str) -> tuple[bytes, int, str]:
    """Return a file's bytes, its size, and its page; over 1 MB it comes in the raw form."""
    address = f"/repos/{repo}/contents/{names.in_path(path)}"
    params: dict[str, str | int | float | None] = {"ref": ref or None}
    age_s = 30 * 86_400.0 if re.fullmatch(r"[0-9a-f]{40}", ref) else access.HOUR_S
    content, size, url = access.fetch(
        client, address, _contents, params, accept=access.JSON, age_s=age_s
    )
    if content is not None:
        return content, size, url
    if size > _RAW_LIMIT:
        raise ResearchError(
            f"{path} has {size} bytes; GitHub gives at most 100 MB.",
            hint="Clone the repository, or look for a smaller file.",
        )
    raw = access.fetch(
        client, address, lambda answer: _raw(answer, size), params, accept=access.RAW, age_s=age_s
    )
    return raw, size, url


def _raw(answer: Response, size: int) -> bytes:
    if len(answer.body) != size:
        raise StrangeAnswerError(f"GitHub sent {len(answer.body)} bytes of a file of {size}.")
    return answer.body


def _contents(answer: Response) -> tuple[bytes | None, int, str]:
    value = decode(answer.body, GITHUB.title)
    if isinstance(value, list):
        entries = [item.text("name") for item in records(value, "contents")]
        raise NotFoundError(
            "That path is a folder.", hint=f"It holds: {', '.join(entries)[:1500]}."
        )
    found = Fields(value, "contents")
    kind = found.text("type")
    if kind != "file":
        raise ResearchError(f"That path is a {kind}, not a file.")
    size, url = found.whole("size"), found.text_or_none("html_url") or ""
    content, encoding = found.text_or_none("content"), found.text_or_none("encoding")
    if not content and size:
        return None, size, url
    if encoding != "base64":
        raise StrangeAnswerError(f"GitHub sent the file as {encoding!r}.")
    try:
        body = base64.b64decode("".join((content or "").split()), validate=True)
    except (binascii.Error, ValueError) as exc:
        raise StrangeAnswerError("GitHub sent a damaged file.") from exc
    if len(body) != size:
        raise StrangeAnswerError(f"GitHub sent {len(body)} bytes of a file of {size}.")
    return body, size, url


def _as_text(path: str, body: bytes) -> tuple[str, list[str]]:
    if b"\x00" in body[:8000]:
        raise ResearchError(f"{path} is a binary file of {len(body)} bytes.")
    text = body.decode("utf-8", "replace")
    if not path.endswith(".ipynb"):
        return text, []
    try:
        return notebook(text), ["A notebook, shown as markdown without outputs."]
    except StrangeAnswerError as exc:
        return text, [f"Shown as it is: {exc.message}"]


def notebook(text: str) -> str:
    """Return a notebook as markdown, outputs left out.

    Raises:
        StrangeAnswerError: It is none.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise StrangeAnswerError("It is no notebook.") from exc
    page = Fields(value, "notebook")
    kernel = page.record_or_none("metadata")
    spec = kernel.record_or_none("language_info") if kernel else None
    language = (spec.text_or_none("name") if spec else None) or "python"
    parts = []
    for cell in page.records("cells"):
        source = _source(cell)
        if not source.strip():
            continue
        if cell.text("cell_type") == "code":
            parts.append(f"```{language}\n{source.rstrip()}\n```")
        else:
            parts.append(source.rstrip())
    return "\n\n".join(parts) + "\n"


def _source(cell: Fields) -> str:
    source = cell.raw("source")
    return source if isinstance(source, str) else "".join(cell.texts_or_empty("source"))


def _cut(
    place: names.Place,
    ref: str,
    text: str,
    size: int,
    url: str,
    lines: tuple[int, int | None],
    notes: list[str],
) -> Answer:
    every = text.splitlines()
    first, last = lines[0], min(lines[1] or len(every), len(every))
    if first > max(1, len(every)):
        raise UsageError(f"The file has only {len(every)} lines.", key="--lines")
    result: Result = {
        "repo": place.repo,
        "path": place.path,
        "ref": ref or None,
        "url": url,
        "bytes": size,
        "lines": len(every),
        "first": first,
        "last": last,
        "text": "\n".join(every[first - 1 : last]),
    }
    answer = Answer(result, [GITHUB.title], notes)
    if last < len(every):
        end = min(len(every), last + LINES)
        option = {"--lines": f"{last + 1}-{end}"}
        answer.more.append(More(f"lines {last + 1}-{end} of {len(every)}", option))
    return answer


def show(result: Result) -> str:
    """Show lines of a file."""
    head = f"{result['repo']} {result['path']}, lines {result['first']}-{result['last']} "
    return f"{head}of {result['lines']}\n{result['url']}\n\n{result['text']}"

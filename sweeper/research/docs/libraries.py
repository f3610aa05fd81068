"""A library's documentation: its pages, ranked against a query, and one page as markdown.

The pages come from the navigation of huggingface.co/docs/<library>; each has a markdown twin
under the same address with `.md`. They are public: no credential is sent.
"""

from __future__ import annotations

import argparse
import difflib
import re
from functools import partial
from html.parser import HTMLParser
from urllib.parse import urldefrag
from urllib.parse import urljoin
from urllib.parse import urlsplit

from sweeper.research import legs
from sweeper.research.answer import Answer
from sweeper.research.answer import More
from sweeper.research.answer import Result
from sweeper.research.answer import short
from sweeper.research.docs import ranking
from sweeper.research.faults import NotFoundError
from sweeper.research.faults import ResearchError
from sweeper.research.faults import StrangeAnswerError
from sweeper.research.faults import UsageError
from sweeper.research.http import Client
from sweeper.research.messages import Request
from sweeper.research.messages import Response
from sweeper.research.services import GRADIO
from sweeper.research.services import HUB
from sweeper.research.services import origin

WEEK_S = 7 * 86_400.0
_DAY_S = 86_400.0
READ_AT_MOST = 80
_GLIMPSE = 200

LIBRARIES = (
    "hub", "transformers", "diffusers", "datasets", "gradio", "trackio", "smolagents",
    "huggingface_hub", "huggingface.js", "transformers.js", "inference-providers",
    "inference-endpoints", "peft", "accelerate", "optimum", "tokenizers", "courses", "evaluate",
    "tasks", "dataset-viewer", "trl", "simulate", "sagemaker", "timm", "safetensors", "tgi",
    "setfit", "lerobot", "autotrain", "tei", "bitsandbytes", "sentence_transformers", "chat-ui",
    "leaderboards", "lighteval", "argilla", "distilabel", "microsoft-azure", "kernels",
    "google-cloud",
)  # fmt: skip
_FAMILIES = {
    "optimum": ("optimum", "optimum-habana", "optimum-neuron", "optimum-intel",
                "optimum-executorch", "optimum-tpu"),
    "courses": ("llm-course", "robotics-course", "mcp-course", "smol-course", "agents-course",
                "deep-rl-course", "computer-vision-course", "audio-course", "ml-games-course",
                "diffusion-course", "ml-for-3d-course", "cookbook"),
}  # fmt: skip


def explore(client: Client, args: argparse.Namespace) -> Answer:
    """Return a library's pages, ranked against a query if there is one."""
    library = args.library.strip().strip("/")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", library):
        raise UsageError(
            f"{library!r} is no library's name.", hint=f"Known: {', '.join(LIBRARIES)}."
        )
    if library == "gradio":
        return _explore_gradio(client, args)
    pages, notes = _navigation(client, library)
    if not args.query:
        return _answer(args, pages, notes, total=len(pages))
    chosen = pages if args.deep else _likely(pages, args.query)
    if len(chosen) < len(pages):
        notes.append(
            f"Ranked over the {len(chosen)} pages with the likeliest titles out of {len(pages)}; "
            "--deep reads all of them."
        )
    read, failed = _read(client, chosen)
    if failed:
        notes.append(f"{len(failed)} pages could not be read: {failed[0]}")
    answer = _ranked(args, read, notes)
    answer.complete = not failed
    return answer


def _navigation(client: Client, library: str) -> tuple[list[Result], list[str]]:
    places = _FAMILIES.get(library, (library,))
    found, failed = legs.run({place: partial(_pages_of, client, place) for place in places})
    if not found:
        exc = next(iter(failed.values()))
        if isinstance(exc, NotFoundError):
            raise _unknown_library(library) from exc
        raise exc
    pages = [page for group in found.values() for page in group]
    notes = [f"{place} was left out: {exc.message}" for place, exc in failed.items()]
    return list({str(page["url"]): page for page in pages}.values()), notes


def _unknown_library(library: str) -> NotFoundError:
    close = difflib.get_close_matches(library, LIBRARIES, 3)
    meant = f"Did you mean {', '.join(close)}? " if close else ""
    return NotFoundError(
        f"There is no documentation of {library!r}.",
        hint=f"{meant}Known: {', '.join(LIBRARIES)}.",
    )


def _pages_of(client: Client, place: str) -> list[Result]:
    try:
        return client.fetch(_navigation_request(f"/docs/{place}"), _parse_navigation)
    except NotFoundError:
        if place not in _FAMILIES["courses"]:
            raise
        return client.fetch(_navigation_request(f"/learn/{place}"), _parse_navigation)


def _navigation_request(path: str) -> Request:
    accept = {"Accept": "text/html"}
    return Request(HUB, path, headers=accept, age_s=WEEK_S, account=False)


class _Navigation(HTMLParser):
    """Collects the links inside the page list."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.links: list[tuple[str, str]] = []
        self.depth = 0
        self._href = ""
        self._words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Enter the list, or a link in it."""
        values = dict(attrs)
        if tag == "nav" and (self.depth or "flex-auto" in (values.get("class") or "")):
            self.depth += 1
        elif tag == "a" and self.depth:
            self._href, self._words = values.get("href") or "", []

    def handle_endtag(self, tag: str) -> None:
        """Leave the list, or a link in it."""
        if tag == "nav" and self.depth:
            self.depth -= 1
        elif tag == "a" and self._href:
            self.links.append((self._href, " ".join(" ".join(self._words).split())))
            self._href = ""

    def handle_data(self, data: str) -> None:
        """Collect a link's words."""
        if self._href:
            self._words.append(data)


def _parse_navigation(answer: Response) -> list[Result]:
    parser = _Navigation()
    parser.feed(answer.text)
    pages: dict[str, Result] = {}
    for href, title in parser.links:
        url = urldefrag(urljoin(answer.url, href))[0].rstrip("/")
        if origin(url) == origin(answer.url):
            pages.setdefault(url, {"title": title or url.rsplit("/", 1)[-1], "url": url})
    if parser.depth:
        raise StrangeAnswerError("The documentation page came only in part.")
    if not pages:
        raise StrangeAnswerError(
            "The documentation page has no list of pages.",
            hint="Its layout may have changed; `hf_docs.py fetch` with a page's address works.",
        )
    return list(pages.values())


def _likely(pages: list[Result], query: str) -> list[Result]:
    if len(pages) <= READ_AT_MOST:
        return pages
    names = [ranking.counts(str(page["title"]), _path_words(page)) for page in pages]
    scores = ranking.scores(query, names)
    order = sorted(range(len(pages)), key=lambda index: (-scores[index], index))
    return [pages[index] for index in order[:READ_AT_MOST]]


def _path_words(page: Result) -> str:
    return re.sub(r"[/_.-]", " ", urlsplit(str(page["url"])).path)


def _read(client: Client, pages: list[Result]) -> tuple[list[Result], list[str]]:
    done = 0

    def one(page: Result) -> Result:
        nonlocal done
        value = client.derived(
            ("docs page", page["url"]), WEEK_S, lambda: _digest(client, str(page["url"]))
        )
        done += 1
        if done % 20 == 0:
            client.say(f"read {done} of {len(pages)} pages")
        return {**page, **value}

    found, failed = legs.run({str(page["url"]): partial(one, page) for page in pages})
    if pages and not found:
        raise next(iter(failed.values()))
    return list(found.values()), [exc.message for exc in failed.values()]


def _digest(client: Client, url: str) -> Result:
    text = markdown(client, Request(HUB, f"{url}.md", account=False, age_s=0))[0]
    prose = re.sub(r"<[^>]+>|^#.*$|^---[\s\S]*?---", " ", text, flags=re.MULTILINE)
    return {"glimpse": short(prose, _GLIMPSE), "words": ranking.counts("", text)}


def markdown(client: Client, request: Request) -> tuple[str, str]:
    """Return a page's markdown and its final address.

    Raises:
        StrangeAnswerError: It is a web page, not markdown.
    """
    return client.fetch(request, _markdown)


def _markdown(answer: Response) -> tuple[str, str]:
    text = answer.text
    if re.match(r"\s*(<!doctype|<html|<head)", text, re.IGNORECASE) or not text.strip():
        raise StrangeAnswerError(
            "That address answers with a web page, not with markdown.",
            hint="Ask for a page that `hf_docs.py explore` lists.",
        )
    return text, answer.url


def _ranked(args: argparse.Namespace, read: list[Result], notes: list[str]) -> Answer:
    documents = [_document(page) for page in read]
    scores = ranking.scores(args.query, documents)
    order = sorted(range(len(read)), key=lambda index: -scores[index])
    hits = [
        {
            "title": read[index]["title"],
            "url": read[index]["url"],
            "glimpse": read[index]["glimpse"],
            "score": round(scores[index], 2),
        }
        for index in order
        if scores[index] > 0
    ]
    return _answer(args, list(hits), notes, total=len(hits))


def _document(page: Result) -> dict[str, int]:
    found = page["words"] if isinstance(page["words"], dict) else {}
    title = ranking.counts(str(page["title"]), "")
    return {word: found.get(word, 0) + title.get(word, 0) for word in {*found, *title}}


def _answer(
    args: argparse.Namespace, pages: list[Result], notes: list[str], *, total: int
) -> Answer:
    shown = [
        {
            "title": page["title"],
            "url": page["url"],
            "glimpse": page.get("glimpse"),
            "score": page.get("score"),
        }
        for page in pages[args.offset : args.offset + args.limit]
    ]
    result: Result = {
        "library": args.library,
        "query": args.query,
        "total": total,
        "offset": args.offset,
        "pages": shown,
    }
    end = args.offset + len(shown)
    more = (
        [More(f"pages from {end + 1} of {total}", {"--offset": str(end)})] if end < total else []
    )
    title = GRADIO.title if args.library == "gradio" else HUB.title
    return Answer(result, [title], notes, more=more)


def show_pages(result: Result) -> str:
    """Show a library's pages."""
    pages = result["pages"]
    if not isinstance(pages, list) or not pages:
        return f"No page of {result['library']} matches {result['query']!r}."
    start = result["offset"] if isinstance(result["offset"], int) else 0
    parts = [f"Pages: {result['total']}. Read one with: hf_docs.py fetch URL"]
    for index, page in enumerate(pages):
        parts.append(f"{start + index + 1}. {page['title']}\n   {page['url']}")
        if page["glimpse"]:
            parts.append(f"   {page['glimpse']}")
    return "\n".join(parts)


def _explore_gradio(client: Client, args: argparse.Namespace) -> Answer:
    """Rank the parts of Gradio's llms.txt; its search service is undocumented and left alone."""
    request = Request(GRADIO, "/llms.txt", headers={"Accept": "text/plain"}, age_s=_DAY_S)
    text, url = markdown(client, request)
    read: list[Result] = []
    for part in re.split(r"^(?=#{1,3} )", text, flags=re.MULTILINE):
        head, _, body = part.strip().partition("\n")
        if head:
            title = head.strip("# ") or "Gradio"
            digest = {"glimpse": short(body, _GLIMPSE), "words": ranking.counts("", body)}
            read.append({"title": title, "url": url, **digest})
    if args.query:
        return _ranked(args, read, [])
    return _answer(args, read, [], total=len(read))


def fetch(client: Client, args: argparse.Namespace) -> Answer:
    """Return one page as markdown; only pages of allowed hosts are fetched."""
    request = _page_request(client, args.page_url)
    text, url = markdown(client, request)
    heading = re.search(r"^#\s+(.+)$", text, re.MULTILINE)
    title = heading[1].strip() if heading else urlsplit(url).path
    return Answer({"url": url, "title": title, "text": text}, [request.service.title])


def _page_request(client: Client, given: str) -> Request:
    url = given.strip()
    base = client.accounts.base(HUB)
    if "://" not in url:
        path = url.strip("/")
        path = path if path.startswith(("docs/", "learn/", "blog/")) else f"docs/{path}"
        url = f"{base}/{path}"
    try:
        scheme, host, port = origin(url)
        parts = urlsplit(url)
    except ValueError as exc:
        raise UsageError(f"{given!r} is no web address.") from exc
    if parts.username or parts.password or re.search(r"[\s\\]", url):
        raise _not_allowed(given)
    if (scheme, port) == ("https", 443) and host in ("huggingface.co", "hf.co"):
        url, service = f"{base}{parts.path}", HUB
    elif (scheme, host, port) == origin(base):
        url, service = f"{scheme}://{parts.netloc}{parts.path}", HUB
    elif (scheme, port) == ("https", 443) and host in GRADIO.hosts:
        url, service = f"{client.accounts.base(GRADIO)}{parts.path}", GRADIO
    elif (scheme, host, port) == origin(client.accounts.base(GRADIO)):
        url, service = f"{scheme}://{parts.netloc}{parts.path}", GRADIO
    else:
        raise _not_allowed(given)
    if service is HUB and not re.search(r"\.(md|txt|json|ya?ml)$", parts.path):
        url = f"{url.rstrip('/')}.md"
    accept = {"Accept": "text/markdown, text/plain"}
    return Request(service, url, headers=accept, age_s=WEEK_S, account=False, max_bytes=8_000_000)


def _not_allowed(given: str) -> ResearchError:
    return ResearchError(
        f"{given!r} is not on a host that this tool fetches from.",
        hint="It reads the docs of huggingface.co, hf.co and gradio.app; nothing was sent.",
    )


def show_page(result: Result) -> str:
    """Show one page."""
    return f"{result['url']}\n\n{result['text']}"

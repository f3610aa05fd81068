"""Finding code: examples in a repository, repositories of an owner, code anywhere."""

from __future__ import annotations

import argparse
import difflib
import re
from urllib.parse import quote

from sweeper.research.answer import Answer
from sweeper.research.answer import More
from sweeper.research.answer import Result
from sweeper.research.answer import short
from sweeper.research.docs import ranking
from sweeper.research.faults import NotFoundError
from sweeper.research.faults import ResearchError
from sweeper.research.faults import StrangeAnswerError
from sweeper.research.fields import Fields
from sweeper.research.fields import records
from sweeper.research.github import access
from sweeper.research.http import Client
from sweeper.research.services import GITHUB

# Where working code for readers lives, the likeliest first.
_PLACES = (
    "examples", "example", "scripts", "notebooks", "notebook", "cookbook", "cookbooks", "recipes",
    "recipe", "tutorials", "tutorial", "quickstart", "quickstarts", "getting_started",
    "walkthroughs", "walkthrough", "guides", "guide", "howto", "how_to", "demos", "demo",
    "samples", "sample", "use_cases", "use_case", "usecases", "showcase", "showcases",
    "playground", "sandbox",
)  # fmt: skip
_READABLE = re.compile(
    r"\.(py|ipynb|md|mdx|rst|sh|ya?ml|json|toml|js|ts|tsx|rs|go|jl|cpp|cu|txt|cfg)$", re.IGNORECASE
)
_PAGES = 10
_SUBTREES = 6
_SERVER_SORTS = {"updated": "updated", "created": "created", "pushed": "pushed",
                 "name": "full_name"}  # fmt: skip


def find_examples(client: Client, args: argparse.Namespace) -> Answer:
    """Return files that show how something is done, the likeliest first."""
    try:
        branch = args.ref or access.json(client, f"/repos/{args.repo}", _default_branch)
    except NotFoundError as exc:
        raise _with_suggestions(client, args.repo, exc) from exc
    files, truncated = _tree(client, args.repo, branch, deep=True)
    notes: list[str] = []
    if truncated:
        files, notes = _parts_of_tree(client, args.repo, branch)
    ranked = rank(files, args.keyword)
    shown = ranked[args.offset : args.offset + args.limit]
    page = f"https://github.com/{args.repo}/blob/{branch}"
    result: Result = {
        "repo": args.repo,
        "ref": branch,
        "keyword": args.keyword,
        "total": len(ranked),
        "offset": args.offset,
        "files": [{**item, "url": f"{page}/{item['path']}"} for item in shown],
    }
    answer = Answer(result, [GITHUB.title], notes)
    end = args.offset + len(shown)
    if end < len(ranked):
        answer.more.append(More(f"files from {end + 1} of {len(ranked)}", {"--offset": str(end)}))
    return answer


def _default_branch(value: object) -> str:
    return Fields(value, "repository").text("default_branch")


def _tree(client: Client, repo: str, ref: str, *, deep: bool) -> tuple[list[Result], bool]:
    params: dict[str, str | int | float | None] = {"recursive": 1} if deep else {}
    return access.json(client, f"/repos/{repo}/git/trees/{quote(ref, safe='')}", _entries, params)


def _entries(value: object) -> tuple[list[Result], bool]:
    answer = Fields(value, "tree")
    found: list[Result] = [
        {
            "path": item.text("path"),
            "type": item.text("type"),
            "size": item.whole_or_none("size"),
            "sha": item.text("sha"),
        }
        for item in answer.records("tree")
    ]
    return found, answer.truth_or_none("truncated") or False


def _parts_of_tree(client: Client, repo: str, ref: str) -> tuple[list[Result], list[str]]:
    """Read the folders of examples one by one where the whole tree is too long for GitHub."""
    top, _ = _tree(client, repo, ref, deep=False)
    folders = [item for item in top if item["type"] == "tree" and _place_rank([_word(item)]) >= 0]
    files = [item for item in top if item["type"] == "blob"]
    for folder in folders[:_SUBTREES]:
        inside, _ = _tree(client, repo, str(folder["sha"]), deep=True)
        files += [{**item, "path": f"{folder['path']}/{item['path']}"} for item in inside]
    names = ", ".join(str(folder["path"]) for folder in folders[:_SUBTREES])
    return files, [
        f"The repository is too large for one listing; searched were its top and: {names}."
    ]


def _word(item: Result) -> str:
    return str(item["path"])


def rank(files: list[Result], keyword: str | None) -> list[Result]:
    """Return readable files in places of examples; with a keyword, those it fits anywhere."""
    found = []
    for item in files:
        path = str(item["path"])
        if item["type"] != "blob" or not _READABLE.search(path):
            continue
        place = _place_rank(path.split("/")[:-1])
        fit = match(path, keyword) if keyword else 1.0
        if fit < 0.6 or (place < 0 and (not keyword or fit < 0.9)):
            continue
        order = (place < 0, -round(fit, 1), place, path.count("/"), path)
        found.append((order, {"path": path, "bytes": item["size"], "score": round(fit, 2)}))
    return [item for _, item in sorted(found, key=lambda entry: entry[0])]


def _place_rank(folders: list[str]) -> int:
    """Return how typical the best folder is for examples; -1 if none is."""
    names = [re.sub(r"[-\s]", "_", folder.lower()) for folder in folders]
    ranks = [_PLACES.index(name) for name in names if name in _PLACES]
    return min(ranks) if ranks else -1


def match(path: str, keyword: str) -> float:
    """Return how well a path fits a keyword, 0 to 1."""
    there = ranking.words(path)
    wanted = ranking.words(keyword)
    if not wanted or not there:
        return 0.0
    return sum(max(_likeness(word, other) for other in there) for word in wanted) / len(wanted)


def _likeness(word: str, other: str) -> float:
    if word == other:
        return 1.0
    if len(word) > 2 and (other.startswith(word) or (word.startswith(other) and len(other) > 2)):
        return 0.9
    ratio = difflib.SequenceMatcher(None, word, other).ratio()
    return ratio if ratio >= 0.8 else 0.0


def _with_suggestions(client: Client, repo: str, exc: NotFoundError) -> NotFoundError:
    owner, name = repo.split("/")
    try:
        near = _search_repositories(client, f"user:{owner} {name}", 5)
    except ResearchError:
        near = []
    hint = f"Near: {', '.join(str(item['name']) for item in near)}." if near else exc.hint
    return NotFoundError(f"There is no repository {repo}. {exc.message}", hint=hint)


def _search_repositories(client: Client, query: str, limit: int) -> list[Result]:
    params: dict[str, str | int | float | None] = {
        "q": query,
        "sort": "stars",
        "order": "desc",
        "per_page": limit,
    }
    return access.json(client, "/search/repositories", _hits, params, resource="search")


def _hits(value: object) -> list[Result]:
    return [_repository(item) for item in Fields(value, "search").records("items")]


def list_repos(client: Client, args: argparse.Namespace) -> Answer:
    """Return an owner's repositories; stars and forks are compared over all of them."""
    found, notes = _all_repositories(client, args)
    if args.language:
        found = [r for r in found if str(r["language"] or "").lower() == args.language.lower()]
    if args.sort in ("stars", "forks"):
        found.sort(key=lambda item: -_count(item[args.sort]))
    shown = found[args.offset : args.offset + args.limit]
    result: Result = {
        "owner": args.owner,
        "sort": args.sort,
        "total": len(found),
        "offset": args.offset,
        "repositories": list(shown),
    }
    answer = Answer(result, [GITHUB.title], notes)
    end = args.offset + len(shown)
    if end < len(found):
        answer.more.append(More(f"from {end + 1} of {len(found)}", {"--offset": str(end)}))
    return answer


def _count(value: object) -> int:
    return value if isinstance(value, int) else 0


def _all_repositories(client: Client, args: argparse.Namespace) -> tuple[list[Result], list[str]]:
    found: list[Result] = []
    kind = "orgs"
    for number in range(1, _PAGES + 1):
        try:
            page = _page(client, kind, args, number)
        except NotFoundError:
            if kind == "users" or number > 1:
                raise
            kind = "users"
            page = _page(client, kind, args, number)
        found += page
        client.say(f"read {len(found)} repositories of {args.owner}")
        if len(page) < 100:
            return found, []
    if args.sort in ("stars", "forks"):
        best = _search_repositories(client, f"user:{args.owner}", 100)
        return best, [f"{args.owner} has more than {len(found)} repositories: the 100 with the "
                      "most stars were compared."]  # fmt: skip
    return found, [f"Only the first {len(found)} were read."]


def _page(client: Client, kind: str, args: argparse.Namespace, number: int) -> list[Result]:
    params: dict[str, str | int | float | None] = {"per_page": 100, "page": number}
    if args.sort in _SERVER_SORTS:
        params["sort"] = _SERVER_SORTS[args.sort]
        params["direction"] = "asc" if args.sort == "name" else "desc"
    return access.json(client, f"/{kind}/{args.owner}/repos", _repositories, params)


def _repositories(value: object) -> list[Result]:
    found = [_repository(item) for item in records(value, "repositories")]
    if len(found) > 100:
        raise StrangeAnswerError("GitHub sent more repositories than a page holds.")
    return found


def _repository(item: Fields) -> Result:
    license_found = item.record_or_none("license")
    return {
        "name": item.text("full_name"),
        "description": item.text_or_none("description"),
        "stars": item.whole_or_none("stargazers_count"),
        "forks": item.whole_or_none("forks_count"),
        "language": item.text_or_none("language"),
        "topics": item.texts_or_empty("topics"),
        "license": license_found.text_or_none("spdx_id") if license_found else None,
        "updated": item.text_or_none("pushed_at") or item.text_or_none("updated_at"),
        "archived": item.truth_or_none("archived") or False,
        "url": item.text_or_none("html_url"),
    }


def search_code(client: Client, args: argparse.Namespace) -> Answer:
    """Return places in code that contain a text; GitHub demands an account for it."""
    parts = [args.query]
    for name in ("repo", "owner", "language", "path", "filename"):
        if value := getattr(args, name):
            parts.append(f"{'user' if name == 'owner' else name}:{value}")
    page = args.offset // args.limit + 1
    params: dict[str, str | int | float | None] = {
        "q": " ".join(parts),
        "per_page": args.limit,
        "page": page,
    }
    accept = "application/vnd.github.text-match+json"
    found, total, partial = access.json(
        client, "/search/code", _code_hits, params, accept=accept, resource="code"
    )
    result: Result = {
        "query": " ".join(parts),
        "total": total,
        "offset": args.offset,
        "hits": list(found),
    }
    answer = Answer(result, [GITHUB.title])
    if partial:
        answer.notes.append("GitHub ran out of time: there may be further hits.")
        answer.complete = False
    end = args.offset + len(found)
    if found and end < min(total, 1000):
        answer.more.append(More(f"hits from {end + 1} of {total}", {"--offset": str(end)}))
    return answer


def _code_hits(value: object) -> tuple[list[Result], int, bool]:
    answer = Fields(value, "search")
    hits = [_code_hit(item) for item in answer.records("items")]
    return hits, answer.whole("total_count"), answer.truth_or_none("incomplete_results") or False


def _code_hit(item: Fields) -> Result:
    matches = item.records_or_empty("text_matches")
    fragments = [match.text_or_none("fragment") for match in matches]
    return {
        "repo": item.record("repository").text("full_name"),
        "path": item.text("path"),
        "url": item.text_or_none("html_url"),
        "fragments": [fragment for fragment in fragments if fragment][:3],
    }


def show_examples(result: Result) -> str:
    """Show example files."""
    files = result["files"]
    if not isinstance(files, list) or not files:
        return f"No example in {result['repo']} fits."
    lines = [f"{result['repo']} at {result['ref']}: {result['total']} files; read one with "
             f"github.py read-file {result['repo']} PATH"]  # fmt: skip
    lines += [f"- {item['path']} ({item['bytes']} bytes)" for item in files]
    return "\n".join(lines)


def show_repos(result: Result) -> str:
    """Show repositories."""
    found = result["repositories"]
    if not isinstance(found, list) or not found:
        return f"{result['owner']} has no repository that fits."
    lines = []
    for item in found:
        marks = " (archived)" if item["archived"] else ""
        lines.append(
            f"- {item['name']}{marks}: {item['stars']} stars, {item['forks']} forks, "
            f"{item['language'] or 'no language'}, {str(item['updated'] or '')[:10]}"
        )
        if item["description"]:
            lines.append(f"  {short(str(item['description']), 160)}")
    return "\n".join(lines)


def show_code(result: Result) -> str:
    """Show places in code."""
    hits = result["hits"]
    if not isinstance(hits, list) or not hits:
        return "Nothing was found."
    lines = [f"about {result['total']} hits"]
    for item in hits:
        lines.append(f"- {item['repo']} {item['path']}\n  {item['url']}")
        lines += [f"    {short(str(fragment), 240)}" for fragment in item["fragments"][:2]]
    return "\n".join(lines)

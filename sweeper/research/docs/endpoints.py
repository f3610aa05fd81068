"""The Hub's REST endpoints, found in its OpenAPI description."""

from __future__ import annotations

import argparse
import json
from collections import Counter

from sweeper.research.answer import Answer
from sweeper.research.answer import Result
from sweeper.research.answer import short
from sweeper.research.docs import ranking
from sweeper.research.faults import NotFoundError
from sweeper.research.faults import UsageError
from sweeper.research.fields import Fields
from sweeper.research.http import Client
from sweeper.research.messages import Request
from sweeper.research.services import HUB

_DAY_S = 86_400.0
_METHODS = ("get", "post", "put", "patch", "delete", "head")


def find_api(client: Client, args: argparse.Namespace) -> Answer:
    """Return endpoints that match a query, a tag, or both."""
    if not args.query and not args.tag:
        raise UsageError("Give a query, --tag, or both.")
    found = client.derived(("openapi",), _DAY_S, lambda: {"endpoints": _load(client)})
    endpoints = [item for item in _list(found["endpoints"]) if isinstance(item, dict)]
    tags = sorted({tag for item in endpoints for tag in _list(item["tags"])}, key=str)
    notes: list[str] = []
    if args.tag:
        wanted = args.tag.lower()
        endpoints = [e for e in endpoints if wanted in map(str.lower, map(str, _list(e["tags"])))]
        if not endpoints:
            raise NotFoundError(
                f"There is no tag {args.tag!r}.", hint=f"Tags: {', '.join(map(str, tags))}."
            )
    hits = _rank(endpoints, args.query) if args.query else endpoints
    if args.query and not hits:
        notes.append(
            f"Nothing matches {args.query!r}"
            + (f"; these are the endpoints of {args.tag}." if args.tag else ".")
        )
        hits = endpoints if args.tag else []
    base = client.accounts.base(HUB)
    shown = [{**item, "curl": _curl(base, item)} for item in hits[: args.limit]]
    result: Result = {
        "query": args.query,
        "tag": args.tag,
        "total": len(hits),
        "endpoints": shown,
        "tags": list(tags),
    }
    if len(hits) > len(shown):
        notes.append(f"{len(hits) - len(shown)} more match: raise --limit or narrow the query.")
    return Answer(result, [HUB.title], notes)


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _load(client: Client) -> list[Result]:
    request = Request(HUB, "/.well-known/openapi.json", account=False)
    return client.json(request, lambda value: _endpoints(Fields(value, "openapi")))


def _endpoints(spec: Fields) -> list[Result]:
    paths = spec.record("paths")
    found = []
    for path in paths:
        entry = paths.record(path)
        shared = entry.records_or_empty("parameters")
        for method in _METHODS:
            if operation := entry.record_or_none(method):
                found.append(_endpoint(path, method, operation, shared))
    return found


def _endpoint(path: str, method: str, operation: Fields, shared: list[Fields]) -> Result:
    parameters = [*shared, *operation.records_or_empty("parameters")]
    return {
        "method": method.upper(),
        "path": path,
        "summary": operation.text_or_none("summary"),
        "description": operation.text_or_none("description"),
        "operation_id": operation.text_or_none("operationId"),
        "tags": operation.texts_or_empty("tags"),
        "parameters": [_parameter(item) for item in parameters if "name" in item],
        "body": _body(operation.record_or_none("requestBody")),
        "responses": _responses(operation.record_or_none("responses")),
    }


def _parameter(item: Fields) -> Result:
    schema = item.record_or_none("schema")
    kind = schema.raw("type") if schema else None
    return {
        "name": item.text("name"),
        "in": item.text_or_none("in"),
        "required": item.truth_or_none("required") or False,
        "type": kind if isinstance(kind, str) else None,
        "description": item.text_or_none("description"),
    }


def _body(body: Fields | None) -> str | None:
    """Return the JSON form of a request body, shortened."""
    content = body.record_or_none("content") if body else None
    media = content.record_or_none("application/json") if content else None
    schema = media.raw("schema") if media else None
    return None if schema is None else short(json.dumps(schema), 600)


def _responses(responses: Fields | None) -> dict[str, str]:
    found: dict[str, str] = {}
    for status in responses or ():
        answer = responses.record(status) if responses else None
        found[status] = (answer.text_or_none("description") if answer else None) or ""
    return found


def _rank(endpoints: list[Result], query: str) -> list[Result]:
    documents = [_document(item) for item in endpoints]
    scores = ranking.scores(query, documents)
    order = sorted(range(len(endpoints)), key=lambda index: -scores[index])
    return [endpoints[index] for index in order if scores[index] > 0]


def _document(item: Result) -> dict[str, int]:
    names = [part["name"] for part in _list(item["parameters"]) if isinstance(part, dict)]
    weights = (
        (item["summary"], 6),
        (item["operation_id"], 4),
        (" ".join(map(str, _list(item["tags"]))), 3),
        (item["path"], 3),
        (item["description"], 2),
        (" ".join(map(str, names)), 1),
    )
    found: Counter[str] = Counter()
    for text, weight in weights:
        for word in ranking.words(str(text or "")):
            found[word] += weight
    return dict(found)


def _curl(base: str, item: Result) -> str:
    method = "" if item["method"] == "GET" else f"-X {item['method']} "
    data = " -H 'Content-Type: application/json' -d '{…}'" if item["body"] else ""
    return f"curl {method}-H \"Authorization: Bearer $HF_TOKEN\"{data} '{base}{item['path']}'"


def show(result: Result) -> str:
    """Show endpoints."""
    endpoints = _list(result["endpoints"])
    if not endpoints:
        return f"No endpoint matches. Tags: {', '.join(map(str, _list(result['tags'])))}"
    return "\n\n".join(_show_one(item) for item in endpoints if isinstance(item, dict))


def _show_one(item: Result) -> str:
    lines = [f"{item['method']} {item['path']}  [{', '.join(map(str, _list(item['tags'])))}]"]
    for name in ("summary", "description"):
        if item[name]:
            lines.append(f"  {short(str(item[name]), 300)}")
    for part in _list(item["parameters"]):
        if isinstance(part, dict):
            needed = ", required" if part["required"] else ""
            about = f": {short(str(part['description']), 120)}" if part["description"] else ""
            lines.append(f"  - {part['name']} ({part['in']}{needed}){about}")
    if item["body"]:
        lines.append(f"  body: {item['body']}")
    lines.append(f"  {item['curl']}")
    return "\n".join(lines)

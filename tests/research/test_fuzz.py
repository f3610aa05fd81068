"""Two hundred broken answers per client: never a traceback, never a wrong success."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import pytest

from tests.doubles.services.loopback import Double
from tests.doubles.services.loopback import Reply
from tests.doubles.services.loopback import Seen
from tests.research.conftest import Caller
from tests.research.conftest import World
from tests.research.conftest import validator
from tests.research.test_answers import furnish

P = "2106.09685"
# client -> (its double, the calls that are made against it)
CLIENTS: dict[str, tuple[str, list[tuple[str, ...]]]] = {
    "semantic scholar": (
        "s2",
        [
            ("papers", "search", "lora", "--source", "s2", "--limit", "5"),
            ("papers", "citation-graph", P, "--limit", "5"),
            ("papers", "snippet-search", "rank", "--limit", "5"),
            ("papers", "recommend", P, "--limit", "5"),
        ],
    ),
    "openalex": ("openalex", [("papers", "search", "lora", "--source", "openalex")]),
    "hub papers": (
        "hub",
        [
            ("papers", "trending", "--limit", "5"),
            ("papers", "find-all-resources", P),
            ("papers", "search", "lora", "--source", "hub", "--limit", "5"),
        ],
    ),
    "full text": (
        "arxiv",
        [
            ("papers", "read", P, "--source", "arxiv", "--section", "4.1"),
            ("papers", "read", "2106.00003", "--source", "pdf"),
        ],
    ),
    "docs": (
        "hub",
        [
            ("hf_docs", "explore", "trl"),
            ("hf_docs", "fetch", "trl/grpo_trainer"),
            ("hf_docs", "find-api", "--tag", "repos"),
        ],
    ),
    "data sets": (
        "viewer",
        [
            ("inspect_dataset", "splits", "x/pairs"),
            ("inspect_dataset", "samples", "x/pairs", "--config", "a"),
            ("inspect_dataset", "statistics", "x/labels"),
            ("inspect_dataset", "fit", "x/pairs", "--config", "a"),
        ],
    ),
    "github": (
        "github",
        [
            ("github", "find-examples", "huggingface/trl", "--ref", "main"),
            ("github", "read-file", "huggingface/trl", "examples/scripts/sft.py"),
            ("github", "list-repos", "person"),
            ("github", "search-code", "GRPO"),
        ],
    ),
    "repositories": (
        "hub",
        [
            ("hf_repo", "files", "list", "me/x"),
            ("hf_repo", "refs", "list", "me/x", "--pull-requests"),
            ("hf_repo", "pr", "list", "me/x"),
            ("hf_repo", "pr", "get", "me/x", "1"),
            ("hf_repo", "tag", "create", "me/x", "v9", "--exist-ok", "--yes"),
            ("hf_repo", "pr", "comment", "me/x", "1", "Fine.", "--yes"),
        ],
    ),
}
ROUNDS = 200
# Lists that a service may leave out: their absence is no wrong success.
_OPTIONAL = ("authors", "topics", "tags", "keywords", "contexts", "intents", "events", "examples",
             "fragments", "reasons", "parameters")  # fmt: skip


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield (*path, key)
            yield from _places(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value[:3]):
            yield from _places(item, (*path, index))


def _broken_value(value: Any, dice: random.Random) -> Any:
    wrong = [None, "many", -1.5, ["x"], {"x": 1}, True, "", 10**30, "\ud800", "hf_" + "a" * 30]
    if isinstance(value, str):  # another text would be a sound answer, only a different one
        wrong = [item for item in wrong if not isinstance(item, str)] + [""]
    choice = dice.choice(wrong)
    return [] if isinstance(value, dict) and dice.random() < 0.3 else choice


def _spoil_json(body: bytes, dice: random.Random) -> bytes:
    value = json.loads(body)
    places = [place for place in _places(value) if place]
    if not places:
        return b"null"
    place = dice.choice(places)
    spoiled = copy.deepcopy(value)
    holder = spoiled
    for key in place[:-1]:
        holder = holder[key]
    if dice.random() < 0.4:
        del holder[place[-1]]
    else:
        holder[place[-1]] = _broken_value(holder[place[-1]], dice)
    return json.dumps(spoiled).encode()


def spoiled(reply: Reply, dice: random.Random) -> Reply:
    """Return a broken form of an answer."""
    kind = dice.choice(
        ["json"] * 8 + ["cut", "short", "html", "empty", "429", "500", "nan", "list"]
    )
    if kind == "json" and reply.headers.get("Content-Type", "").startswith("application/json"):
        return Reply(reply.status, _spoil_json(reply.body, dice), reply.headers)
    bodies = {
        "short": reply.body[: dice.randrange(len(reply.body) or 1)],
        "html": b"<!DOCTYPE html><html><body>Maintenance</body></html>",
        "empty": b"",
        "nan": b'{"total": NaN}',
        "list": b"[[]]",
    }
    if kind in bodies:
        return Reply(200, bodies[kind], reply.headers)
    if kind == "429":
        return Reply(429, b"slow down", {"Retry-After": str(dice.choice([0, 1, 500]))})
    if kind == "500":
        return Reply(dice.choice([500, 502, 503, 418]), b"\xff\xfe oops")
    return Reply(200, reply.body, reply.headers, cut=min(len(reply.body), 1 + dice.randrange(9)))


def _counts(value: Any, path: str = "") -> Iterator[tuple[str, int]]:
    """Yield how long each outer list of a result is."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key not in _OPTIONAL:
                yield from _counts(item, f"{path}.{key}")
    elif isinstance(value, list):
        yield path, len(value)


def _spoil_all(double: Double, seed: int) -> None:
    def change(seen: Seen, reply: Reply) -> Reply:
        if reply.status >= 300:
            return reply
        return spoiled(reply, random.Random(f"{seed} {seen.path}"))

    double.spoil = change


@pytest.mark.parametrize("client", CLIENTS)
def test_broken_answers_are_refused_or_shown_for_what_they_are(
    client: str, call: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 1 with a sentence, or a result that the schema accepts and that lacks nothing."""
    furnish(world, monkeypatch)
    name, calls = CLIENTS[client]
    double: Double = getattr(world, name)
    sound = {words: dict(_counts(call.json(*words)["result"])) for words in calls}

    outcomes = {0: 0, 1: 0}
    for seed in range(ROUNDS):
        words = calls[seed % len(calls)]
        _spoil_all(double, seed)
        call.fresh_cache()
        done = call(*words, "--fresh", "--json", "--quiet")
        double.spoil = None

        assert done.code in (0, 1), (seed, words, done.err)
        assert "Traceback" not in done.err
        assert "does not handle" not in done.err, (seed, words, done.err)
        outcomes[done.code] += 1
        if done.code == 0:
            _check_success(seed, words, done.document, sound[words])

    assert outcomes[1] > ROUNDS / 5, outcomes  # the breakage is real


def _check_success(
    seed: int, words: tuple[str, ...], document: Any, sound: dict[str, int]
) -> None:
    validator(words[0]).validate(document)
    if document["notes"] or document["fallback"]:
        return  # what is missing is said
    found = dict(_counts(document["result"]))
    for path, count in sound.items():
        assert found.get(path, 0) >= count, (seed, words, path)


def test_silence_is_survived_by_every_client(
    call: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that never answers costs the time limit and gives a sentence."""
    furnish(world, monkeypatch)
    monkeypatch.setenv("SWEEPER_RESEARCH_TIMEOUT_S", "0.3")
    for name, calls in CLIENTS.values():
        double: Double = getattr(world, name)
        double.spoil = lambda seen, reply: Reply(200, reply.body, reply.headers, delay_s=0.7)
        done = call(*calls[0], "--fresh", "--json", "--quiet")
        double.spoil = None

        assert done.code in (0, 1)
        if done.code:
            assert done.document["error"]["code"] in ("unavailable", "research", "not_found")

"""Recipes: what the researcher brings back, checked, ranked, each figure with its place.

The file's form is `schemas/recipes.json`. Ranked by confidence, then data that can be had, then
the newest; metrics of different benchmarks are never compared with each other.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import NoReturn

from sweeper.errors import ProposalError
from sweeper.errors import SweeperError
from sweeper.research import schema
from sweeper.research.answer import Answer
from sweeper.research.answer import Result
from sweeper.research.answer import short
from sweeper.research.faults import NotFoundError
from sweeper.research.http import Client
from sweeper.research.papers import fulltext
from sweeper.research.papers.record import arxiv_id_or_none

SCHEMA = "recipes.json"
_SHOWN_FAULTS = 8


def load(path: Path) -> list[Result]:
    """Return the recipes in a file.

    Raises:
        NotFoundError: There is no such file.
        ProposalError: It is no JSON, or breaks the schema; names line, key and rule.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise NotFoundError(
            f"The recipe file {path} cannot be read: {exc}.",
            hint="Write the researcher's recipes there as JSON.",
        ) from exc
    value, starts = _decode(text, path)
    found = schema.faults(value, schema.load(SCHEMA))
    if found:
        raise _broken(path, found, starts)
    assert isinstance(value, list)
    return value


def _decode(text: str, path: Path) -> tuple[object, list[int]]:
    """Return the value and the line at which each item of the outermost list begins."""
    try:
        value = json.loads(
            text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_duplicates
        )
    except json.JSONDecodeError as exc:
        raise ProposalError(
            f"{path} is no JSON: {exc.msg} at line {exc.lineno}, column {exc.colno}.",
            line=exc.lineno,
            hint="Recipes are a JSON list; `papers.py recipes --form` prints its schema.",
        ) from exc
    except (ValueError, RecursionError) as exc:
        raise ProposalError(f"{path} is no JSON: {exc}.") from exc
    return value, _starts(text) if isinstance(value, list) else []


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _refuse_duplicates(pairs: list[tuple[str, object]]) -> dict[str, object]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the key {name!r} stands twice in one object")
    return dict(pairs)


def _starts(text: str) -> list[int]:
    decoder = json.JSONDecoder()
    starts = []
    position = text.index("[") + 1
    while (match := re.compile(r"[\s,]*(?=[^\s,\]])").match(text, position)) is not None:
        starts.append(text.count("\n", 0, match.end()) + 1)
        _, position = decoder.raw_decode(text, match.end())
    return starts


def _broken(path: Path, found: list[schema.Fault], starts: list[int]) -> ProposalError:
    sentences = [
        f"{path.name}{fault.path} {fault.message} (rule {fault.rule})."
        for fault in found[:_SHOWN_FAULTS]
    ]
    if len(found) > _SHOWN_FAULTS:
        sentences.append(f"{len(found) - _SHOWN_FAULTS} more.")
    index = re.match(r"\[(\d+)\]", found[0].path)
    line = starts[int(index[1])] if index and int(index[1]) < len(starts) else 1
    return ProposalError(
        " ".join(sentences),
        line=line,
        key=found[0].path.lstrip("."),
        hint="The rules are JSON pointers into schemas/recipes.json; "
        "`papers.py recipes --form` prints it.",
    )


def recipes(client: Client, args: argparse.Namespace) -> Answer:
    """Check a recipe file, rank it, and if asked look every figure up in its section."""
    if args.form:
        return Answer({"schema": schema.load(SCHEMA), "recipes": []}, [], web=False)
    loaded = load(Path(args.file))
    ranked = [{**item, "figures": figures(item)} for item in sorted(loaded, key=_rank)]
    answer = Answer({"schema": None, "recipes": list(ranked)}, [])
    if args.verify:
        _verify(client, ranked, answer)
    return answer


def _rank(recipe: Result) -> tuple[float, bool, str]:
    paper, dataset, confidence = recipe["paper"], recipe["dataset"], recipe["confidence"]
    assert isinstance(paper, dict)
    assert isinstance(dataset, dict)
    assert isinstance(confidence, int | float)
    newest_first = "".join(chr(255 - ord(char)) for char in f"{paper['date']:0<10}")
    return -confidence, not dataset["available"], newest_first


def figures(recipe: Result) -> list[Result]:
    """Return every figure of a recipe with the paper and the section it stands in."""
    paper, given, settings = recipe["paper"], recipe["result"], recipe["hyperparameters"]
    assert isinstance(paper, dict)
    assert isinstance(settings, dict)
    found = []
    for item in given if isinstance(given, list) else [given]:
        assert isinstance(item, dict)
        name = " ".join(str(item[key]) for key in ("benchmark", "metric") if item.get(key))
        found.append(_figure(name, "result", item["value"], paper, item))
        if item.get("baseline") is not None:
            found.append(_figure(f"{name} baseline", "result", item["baseline"], paper, item))
    for name, value in settings.items():
        own = value if isinstance(value, dict) else {"value": value}
        found.append(_figure(name, "hyperparameter", own["value"], paper, own))
    return found


def _figure(name: str, kind: str, value: object, paper: Result, own: Result) -> Result:
    section = str(own.get("section") or paper["section"])
    reference = str(paper["id"])
    arxiv = arxiv_id_or_none(reference)
    return {
        "name": name,
        "kind": kind,
        "value": value,
        "paper": reference,
        "section": section,
        "place": own.get("place"),
        "url": f"https://arxiv.org/html/{arxiv}" if arxiv else reference,
        "verified": None,
    }


def _verify(client: Client, ranked: list[Result], answer: Answer) -> None:
    """Look every figure up in the section it is said to stand in."""
    for recipe in ranked:
        entries = recipe["figures"]
        assert isinstance(entries, list)
        for figure in entries:
            client.say(f"looking for {figure['name']} in {figure['paper']} §{figure['section']}")
            try:
                figure["verified"] = _stands_there(client, figure)
            except SweeperError as exc:
                answer.notes.append(f"{figure['name']}: {exc.message}")
    states = [figure["verified"] for recipe in ranked for figure in _list(recipe["figures"])]
    counts = {word: states.count(value) for value, word in _STATES.items()}
    summary = ", ".join(f"{count} {word}" for word, count in counts.items())
    answer.notes.insert(0, f"Of {len(states)} figures: {summary}.")


_STATES = {True: "stand where they are said to", False: "do not", None: "could not be looked up"}


def _list(value: object) -> list[Result]:
    return value if isinstance(value, list) else []


def _stands_there(client: Client, figure: Result) -> bool | None:
    arxiv = arxiv_id_or_none(str(figure["paper"]))
    if arxiv is None:
        return None
    paper = fulltext.load(client, arxiv, "auto")
    sections, _ = fulltext.select(_list(paper["sections"]), str(figure["section"]))
    text = " ".join(str(section["text"]) for section in sections)
    values = figure["value"] if isinstance(figure["value"], list) else [figure["value"]]
    return all(stands_in(value, text) for value in values)


def stands_in(value: object, text: str) -> bool:
    """Return whether a text states a value, in any of the ways that papers write numbers."""
    if isinstance(value, bool) or value is None:
        return True
    if isinstance(value, str):
        return value.lower() in text.lower()
    assert isinstance(value, int | float)
    return any(abs(number - value) <= 1e-9 * abs(value) for number in _numbers(text))


_POWER = re.compile(
    r"(\d+(?:\.\d+)?)?\s*(?:\\times|\\cdot|×|x|\*)?\s*10\s*\^?\s*\{?\s*([-−–]\s*\d+)\s*\}?"
)
_PLAIN = re.compile(r"(?<![\w.])[-−]?\d[\d,]*(?:\.\d+)?(?:[eE][-+−]?\d+)?|(?<![\w.])\.\d+")


def _numbers(text: str) -> list[float]:
    flat = text.replace("\\,", "").replace("{,}", ",").replace("$", "").replace("−", "-")
    found = [float(match.replace(",", "")) for match in _PLAIN.findall(flat)]
    found += [-number for number in found if number < 0]
    for base, exponent in _POWER.findall(flat):
        power = int(re.sub(r"[−–]", "-", exponent).replace(" ", ""))
        found.append(float(base or 1) * 10.0**power)
    thousands = re.findall(r"(?<![\w.])(\d+(?:\.\d+)?)\s?[kK]\b", flat)
    return found + [1000 * float(number) for number in thousands]


def show(result: Result) -> str:
    """Show the ranked table and, below it, where each figure stands."""
    if result["schema"] is not None:
        return json.dumps(result["schema"], indent=1, ensure_ascii=False)
    recipes = _list(result["recipes"])
    rows = [
        "| # | confidence | method | model | data set | result | paper |",
        "|--:|--:|---|---|---|---|---|",
        *(_row(item, index + 1) for index, item in enumerate(recipes)),
        "",
    ]
    return "\n".join([*rows, *(_below(item, i + 1) for i, item in enumerate(recipes))])


def _row(recipe: Result, number: int) -> str:
    paper, dataset = recipe["paper"], recipe["dataset"]
    assert isinstance(paper, dict)
    assert isinstance(dataset, dict)
    results = [f for f in _list(recipe["figures"]) if f["kind"] == "result"]
    reached = "; ".join(f"{figure['name']} {figure['value']}" for figure in results[:2])
    data = dataset.get("hub_id") or dataset["name"]
    cells = (
        number,
        recipe["confidence"],
        short(str(recipe["method"]), 60),
        recipe.get("model") or "–",
        f"{data}{'' if dataset['available'] else ' (not available)'}",
        reached,
        f"{paper['id']} §{paper['section']} ({paper['date']})",
    )
    return f"| {' | '.join(str(cell).replace('|', '/') for cell in cells)} |"


def _below(recipe: Result, number: int) -> str:
    lines = [
        f"{number}. {short(str(recipe['why']), 300)}",
        f"   params: {json.dumps(recipe['params'], ensure_ascii=False)}",
        f"   what made it work: {short(str(recipe['what_made_it_work']), 400)}",
    ]
    for figure in _list(recipe["figures"]):
        place = f", {figure['place']}" if figure["place"] else ""
        mark = {True: " [found there]", False: " [NOT found there]", None: ""}
        lines.append(
            f"   {figure['name']} = {figure['value']}: {figure['paper']} §{figure['section']}"
            f"{place} {figure['url']}{mark[figure['verified']]}"  # type: ignore[index]
        )
    return "\n".join(lines)

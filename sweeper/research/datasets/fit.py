"""Whether a data set can train a method as it is: a verdict with its reasons.

The forms are those of TRL: https://huggingface.co/docs/trl/dataset_formats. SFT: `messages`,
`text`, or `prompt` and `completion`; DPO: `chosen` and `rejected`, with `prompt` or with it as
their common beginning; GRPO: `prompt`, other columns reach the reward function.
"""

from __future__ import annotations

from collections.abc import Callable

from sweeper.research.answer import Result
from sweeper.research.datasets import audit
from sweeper.research.datasets.viewer import Sample

METHODS = ("sft", "dpo", "grpo")
READY, MAPPING, UNFIT = "ready", "needs mapping", "unfit"
_QUESTIONS = ("prompt", "question", "problem", "instruction", "query", "input")
_ANSWERS = ("completion", "output", "response", "answer", "solution", "target")
_CHOSEN = ("chosen", "accepted", "preferred", "better", "win")
_REJECTED = ("rejected", "dispreferred", "worse", "lose")
_TRUTHS = ("answer", "solution", "ground_truth", "reward_model", "final_answer", "tests")
_MOST_UNUSABLE = 0.5
_CHAT_MAP = (
    'ds.map(lambda r: {{"messages": [{{"role": {{"human": "user", "gpt": "assistant"}}'
    '.get(t["from"], t["from"]), "content": t["value"]}} for t in r["{0}"]]}}, '
    'remove_columns=["{0}"])'
)


def verdict(sample: Sample, method: str) -> Result:
    """Return whether the rows fit a method.

    Returns:
        method, verdict ("ready", "needs mapping" or "unfit"), reasons, and mapping: code that
        brings the data into form, or None.
    """
    if not sample.rows:
        return _result(method, UNFIT, ["The split has no rows."])
    return _JUDGES[method](sample)


def _result(method: str, word: str, reasons: list[str], mapping: str | None = None) -> Result:
    return {"method": method, "verdict": word, "reasons": reasons, "mapping": mapping}


def _kind(sample: Sample, column: str) -> str:
    """Return "chat", "sharegpt", "text" or "other"."""
    cells = [cell for row in sample.rows if (cell := row.values.get(column)) is not None]
    if cells and all(isinstance(cell, str) for cell in cells):
        return "text"
    if cells and all(audit.conversation(cell) is not None for cell in cells if cell != []):
        return "chat" if audit.chat(sample, column)["format"] == "role/content" else "sharegpt"
    return "other"


def _unusable(sample: Sample, columns: list[str]) -> tuple[float, list[str]]:
    """Return the share of rows that lack one of the columns, and sentences on it."""
    bad = 0
    for row in sample.rows:
        cells = [row.values.get(name) for name in columns]
        bad += any(cell is None or audit.is_empty(cell) for cell in cells)
    if not bad:
        return 0.0, []
    names = " or ".join(columns)
    return bad / len(sample.rows), [
        f"{bad} of {len(sample.rows)} rows read have no {names}: drop them."
    ]


def _judged(
    sample: Sample,
    method: str,
    columns: list[str],
    reasons: list[str],
    mapping: str | None = None,
) -> Result:
    share, sentences = _unusable(sample, columns)
    word = READY if mapping is None else MAPPING
    if share > _MOST_UNUSABLE:
        return _result(method, UNFIT, [*reasons, *sentences])
    return _result(method, word, [*reasons, *sentences], mapping)


def _sft(sample: Sample) -> Result:
    names = sample.features
    if "messages" in names and _kind(sample, "messages") == "chat":
        reasons = ["`messages` holds conversations with role and content."]
        return _judged(sample, "sft", ["messages"], [*reasons, *_odd_chat(sample, "messages")])
    if {"prompt", "completion"} <= set(names):
        kinds = {_kind(sample, "prompt"), _kind(sample, "completion")}
        if kinds in ({"text"}, {"chat"}):
            reasons = ["`prompt` and `completion` are there in one form."]
            return _judged(sample, "sft", ["prompt", "completion"], reasons)
    if "text" in names and _kind(sample, "text") == "text":
        return _judged(sample, "sft", ["text"], ["`text` holds running text."])
    return _sft_by_mapping(sample)


def _sft_by_mapping(sample: Sample) -> Result:
    for column in audit.chat_columns(sample):
        if column in ("chosen", "rejected", "prompt"):
            continue
        if _kind(sample, column) == "sharegpt":
            reasons = [f"`{column}` holds conversations with from and value."]
            reasons += _odd_chat(sample, column)
            return _judged(sample, "sft", [column], reasons, _CHAT_MAP.format(column))
        reasons = [f"`{column}` holds conversations, but under another name."]
        rename = f'ds.rename_column("{column}", "messages")'
        return _judged(sample, "sft", [column], reasons, rename)
    asked, answered = _first(sample, _QUESTIONS), _first(sample, _ANSWERS)
    if asked and answered:
        reasons = [f"`{asked}` and `{answered}` make a prompt and a completion."]
        pairs = {asked: "prompt", answered: "completion"}
        extra = _first(sample, ("input", "context")) if asked == "instruction" else None
        if extra:
            reasons.append(f"`{extra}` belongs to the prompt: join it to `{asked}` first.")
        mapping = f"ds.rename_columns({ {k: v for k, v in pairs.items() if k != v} })"
        return _judged(sample, "sft", [asked, answered], reasons, mapping)
    if "chosen" in sample.features:
        reasons = ["Only preference pairs are there; `chosen` can serve as the completion."]
        return _judged(
            sample, "sft", ["chosen"], reasons, 'ds.rename_column("chosen", "messages")'
        )
    return _result("sft", UNFIT, [_lacks(sample, "messages, text, or prompt and completion")])


def _dpo(sample: Sample) -> Result:
    good = _first(sample, _CHOSEN)
    bad = _first(sample, _REJECTED)
    if not good or not bad:
        return _result("dpo", UNFIT, [_lacks(sample, "chosen and rejected")])
    kinds = {_kind(sample, good), _kind(sample, bad)}
    if len(kinds) > 1 or kinds & {"other"}:
        return _result("dpo", UNFIT, [f"`{good}` and `{bad}` are not of one usable form."])
    reasons = [f"`{good}` and `{bad}` are there."]
    columns = [good, bad]
    question = _first(sample, _QUESTIONS)
    if question:
        columns.append(question)
        reasons.append(f"`{question}` is the prompt.")
    elif kinds == {"text"}:
        return _result("dpo", UNFIT, [*reasons, "The prompt is missing and the pairs are text."])
    else:
        reasons.append("The prompt is the common beginning of both conversations.")
    same = sum(1 for row in sample.rows if row.values.get(good) == row.values.get(bad))
    if same:
        reasons.append(f"In {same} of {len(sample.rows)} rows both are the same: drop them.")
    pairs = {good: "chosen", bad: "rejected", **({question: "prompt"} if question else {})}
    renames = {old: new for old, new in pairs.items() if old != new}
    if kinds == {"sharegpt"}:
        return _judged(sample, "dpo", columns, reasons, _CHAT_MAP.format(good))
    mapping = f"ds.rename_columns({renames})" if renames else None
    return _judged(sample, "dpo", columns, reasons, mapping)


def _grpo(sample: Sample) -> Result:
    truths = [name for name in _TRUTHS if name in sample.features]
    reward = (
        f"The reward function gets {', '.join(f'`{name}`' for name in truths)}."
        if truths
        else "No column holds a reference answer: the reward must judge the completion alone."
    )
    if "prompt" in sample.features and _kind(sample, "prompt") in ("text", "chat"):
        return _judged(sample, "grpo", ["prompt"], ["`prompt` is there.", reward])
    if question := _first(sample, _QUESTIONS):
        mapping = f'ds.rename_column("{question}", "prompt")'
        reasons = [f"`{question}` can be the prompt.", reward]
        return _judged(sample, "grpo", [question], reasons, mapping)
    for column in audit.chat_columns(sample):
        if _kind(sample, column) == "chat":
            mapping = f'ds.map(lambda r: {{"prompt": r["{column}"][:-1]}})'
            reasons = [f"`{column}` without its last turn can be the prompt.", reward]
            return _judged(sample, "grpo", [column], reasons, mapping)
    return _result("grpo", UNFIT, [_lacks(sample, "prompt")])


def _first(sample: Sample, names: tuple[str, ...]) -> str | None:
    return next((name for name in names if name in sample.features), None)


def _odd_chat(sample: Sample, column: str) -> list[str]:
    found = audit.chat(sample, column)
    reasons = []
    last = found["last_roles"]
    talks = found["conversations"]
    if isinstance(last, dict) and isinstance(talks, int):
        open_ends = talks - last.get("assistant", 0) - last.get("gpt", 0)
        if open_ends:
            reasons.append(f"{open_ends} of {talks} conversations do not end with the assistant.")
    for key, sentence in (
        ("empty_turns", "turns are empty"),
        ("out_of_turn", "conversations do not alternate or begin with the assistant"),
        ("with_tools", "conversations use tools: the chat template must know them"),
    ):
        if found[key]:
            reasons.append(f"{found[key]} {sentence}.")
    return reasons


def _lacks(sample: Sample, wanted: str) -> str:
    return f"It lacks {wanted}; its columns are {', '.join(sample.features) or 'unknown'}."


_JUDGES: dict[str, Callable[[Sample], Result]] = {"sft": _sft, "dpo": _dpo, "grpo": _grpo}

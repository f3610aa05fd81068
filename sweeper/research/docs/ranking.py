"""Ranks documents against a query: BM25 over stemmed words, a title counting twice."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping
from collections.abc import Sequence

_K1, _B = 1.2, 0.75
_TITLE_WEIGHT = 2
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
_STOP = frozenset(
    ["a", "an", "and", "are", "as", "at", "be", "by", "for", "from", "how", "in", "is", "it",
     "of", "on", "or", "that", "the", "this", "to", "use", "using", "what", "with", "you", "your"]
)  # fmt: skip


def words(text: str) -> list[str]:
    """Return a text's stems; `SFTTrainer` and `sft_trainer` give the same ones."""
    found = []
    for token in re.findall(r"[A-Za-z0-9]+", text):
        parts = _WORD.findall(token)
        found += [stem(part.lower()) for part in parts]
        if len(parts) > 1:
            found.append(token.lower())
    return [word for word in found if word not in _STOP]


def stem(word: str) -> str:
    """Return a word without its commonest endings."""
    for ending in ("ings", "ing", "ers", "er", "ies", "es", "ed", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)] + ("y" if ending == "ies" else "")
    return word


def counts(title: str, text: str) -> dict[str, int]:
    """Return how often each stem counts in a document."""
    found = Counter(words(text))
    for word in words(title):
        found[word] += _TITLE_WEIGHT
    return dict(found)


def scores(query: str, documents: Sequence[Mapping[str, int]]) -> list[float]:
    """Return each document's score; 0 where no word of the query occurs."""
    wanted = set(words(query))
    lengths = [sum(document.values()) or 1 for document in documents]
    average = sum(lengths) / len(lengths) if lengths else 1.0
    result = [0.0] * len(documents)
    for word in wanted:
        holders = sum(1 for document in documents if word in document)
        if not holders:
            continue
        weight = math.log(1 + (len(documents) - holders + 0.5) / (holders + 0.5))
        for index, document in enumerate(documents):
            count = document.get(word, 0)
            scale = count + _K1 * (1 - _B + _B * lengths[index] / average)
            result[index] += weight * count * (_K1 + 1) / scale
    return result

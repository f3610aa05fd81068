"""Data sets: what is in them, what is wrong, what they fit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.research.datasets import audit
from sweeper.research.datasets import fit
from sweeper.research.datasets import viewer
from sweeper.research.datasets.script import INSPECT_DATASET
from sweeper.research.datasets.viewer import Row
from sweeper.research.datasets.viewer import Sample
from sweeper.research.datasets.viewer import Split
from tests.doubles.services.loopback import as_json
from tests.doubles.services.viewer import chat
from tests.research.conftest import Caller
from tests.research.conftest import World

SPLIT = Split("x/y", "default", "train")


def sample(*rows: dict[str, Any], total: int | None = None, cut: tuple[str, ...] = ()) -> Sample:
    """Return rows as a sample."""
    names = list(rows[0]) if rows else []
    kept = [Row(index, row, cut) for index, row in enumerate(rows)]
    return Sample(SPLIT, kept, total or len(rows), dict.fromkeys(names, "string"))


@pytest.mark.parametrize("operation", [item.name for item in INSPECT_DATASET.operations])
def test_a_data_set_that_does_not_exist_is_an_error_in_every_operation(
    operation: str, call: Caller
) -> None:
    """Never a report with an empty schema."""
    done = call("inspect_dataset", operation, "x/none", "--json")

    assert done.code == 1
    assert done.document["error"]["code"] == "not_found"
    assert "x/none" in done.err


def test_the_report_is_what_a_bare_name_gives(call: Caller) -> None:
    """Name alone, page address or explicit operation: the same report."""
    bare = call.json("inspect_dataset", "x/sft")

    assert bare["operation"] == "report"
    assert call.json("inspect_dataset", "https://huggingface.co/datasets/x/sft")["from_disk"]


def test_splits_carry_their_rows_from_either_source(call: Caller, world: World) -> None:
    """Row counts come from /size, and from the card where that fails, which is said."""
    first = call.json("inspect_dataset", "splits", "x/pairs")
    world.viewer.spoil = lambda seen, reply: as_json({}, 500) if seen.path == "/size" else reply
    second = call.json("inspect_dataset", "splits", "x/pairs", "--fresh")

    rows = [(s["config"], s["split"], s["rows"]) for s in first["result"]["splits"]]
    assert rows == [("a", "train", 5), ("b", "test", 4)]
    assert [s["rows"] for s in second["result"]["splits"]] == [5, 4]
    assert "own card" in second["notes"][0]


def test_a_split_belongs_to_its_own_configuration(call: Caller, world: World) -> None:
    """Configuration b has a test split only: it is used, not the train split of a."""
    document = call.json("inspect_dataset", "samples", "x/pairs", "--config", "b")
    assert document["result"]["split"] == "test"
    assert set(document["result"]["rows"][0]["values"]) == {"question", "answer"}

    assert call.json("inspect_dataset", "samples", "x/pairs", "--split", "test")["result"][
        "config"
    ] == "b"  # fmt: skip
    done = call("inspect_dataset", "samples", "x/pairs", "--config", "b", "--split", "train")
    assert done.code == 1
    assert "It has: test." in done.err


def test_features_may_come_as_a_list_or_as_a_map(call: Caller, world: World) -> None:
    """Both forms of a schema are read."""
    text = {"dtype": "string", "_type": "Value"}
    listed = {"dataset_info": {"features": [{"name": "a", "type": text}]}}
    world.viewer.spoil = lambda seen, reply: as_json(listed) if seen.path == "/info" else reply

    document = call.json("inspect_dataset", "schema", "x/sft")

    assert [(c["name"], c["type"]) for c in document["result"]["columns"]] == [("a", "string")]


def test_types_are_named_in_words() -> None:
    """Lists, structs, classes and images."""
    text = {"dtype": "string", "_type": "Value"}

    assert viewer.type_name([{"role": text}]) == "list of {role: string}"
    assert viewer.type_name({"_type": "Sequence", "feature": text}) == "list of string"
    assert viewer.type_name({"_type": "ClassLabel", "names": ["a", "b"]}) == "class of 2 (a, b)"
    assert viewer.type_name({"_type": "Image"}) == "image"
    assert viewer.type_name(None) == "unknown"


def test_rows_that_are_not_the_ones_asked_for_are_refused(call: Caller, world: World) -> None:
    """Missing or shifted rows are an error, not a shorter answer."""
    world.viewer.spoil = lambda seen, reply: type(reply)(
        200, reply.body.replace(b'"row_idx": 1,', b'"row_idx": 7,'), reply.headers
    )

    assert call("inspect_dataset", "samples", "x/sft").code == 1


def test_where_only_the_preview_is_left_that_is_said(call: Caller, world: World) -> None:
    """A split that is not converted still shows its first rows, as what they are."""
    world.viewer.spoil = lambda seen, reply: as_json({}, 404) if seen.path == "/rows" else reply

    document = call.json("inspect_dataset", "fit", "x/sft")

    assert document["result"]["verdicts"][0]["verdict"] == "ready"
    assert "only the first 5 rows" in document["notes"][0]


def test_nulls_are_exact_where_statistics_exist(call: Caller) -> None:
    """Of a part, the whole split's nulls stand beside those read."""
    columns = call.json("inspect_dataset", "nulls", "x/pairs", "--config", "b", "--rows", "2")
    answer = columns["result"]["columns"][1]

    assert (answer["nulls"], answer["empty"], answer["rows"]) == (1, 1, 2)
    assert answer["nulls_in_all"] == 3


def test_duplicates_are_counted_and_named(call: Caller) -> None:
    """Rows that repeat, with their places; in a column of choice too."""
    whole = call.json("inspect_dataset", "duplicates", "x/labels")["result"]
    column = call.json("inspect_dataset", "duplicates", "x/labels", "--column", "sentence")

    assert (whole["compared"], whole["exact"]) == (40, 32)
    assert whole["examples"][0] == [0, 8, 16, 24, 32]
    assert column["result"]["exact"] == 32
    assert call("inspect_dataset", "duplicates", "x/labels", "--column", "no").code == 1


def test_a_shortened_cell_proves_nothing() -> None:
    """Rows whose cells came back cut are not called duplicates."""
    found = audit.duplicates(sample({"a": "same"}, {"a": "same"}, cut=("a",)), None)

    assert (found["compared"], found["exact"], found["cut"]) == (0, 0, 2)


def test_balance_is_that_of_the_whole_split(call: Caller) -> None:
    """Classes with their names and shares."""
    found = call.json("inspect_dataset", "balance", "x/labels")["result"]["columns"][0]

    assert found["counts"] == {"neg": 30, "pos": 10}
    assert found["largest_share"] == 0.75


def test_overlap_between_splits_is_found_and_its_absence_qualified(call: Caller) -> None:
    """Ten of twenty test rows stand in train; of a part, none found is not none."""
    found = call.json("inspect_dataset", "overlap", "x/sft", "--other-split", "test")["result"]
    assert (found["verdict"], found["exact"], found["share_of_second"]) == ("overlap", 10, 0.5)
    assert found["examples"][0] == [240, 0]

    part = call.json(
        "inspect_dataset", "overlap", "x/sft", "--other-split", "test", "--rows", "100"
    )
    assert part["result"]["complete"] is False
    assert part["result"]["verdict"] == "none found in what was read"


def test_overlap_between_data_sets_by_prompt(call: Caller) -> None:
    """Data sets without a common column are compared by what the model is asked."""
    found = call.json("inspect_dataset", "overlap", "x/sft", "--other-dataset", "x/share")

    assert found["result"]["columns"] == []
    assert found["result"]["prompt_columns"] == ["messages", "conversations"]
    assert found["result"]["verdict"] == "none"
    assert call("inspect_dataset", "overlap", "x/sft").code == 1


def test_chat_analysis_names_what_is_odd() -> None:
    """Roles, turns, tools, empty turns and turns out of order."""
    odd = [{"role": "assistant", "content": "Hi"}, {"role": "user", "content": ""}]
    tools = [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [{}]},
             {"role": "tool", "content": "y"}, {"role": "assistant", "content": "z"}]  # fmt: skip

    found = audit.chat(sample({"m": chat("a")}, {"m": odd}, {"m": tools}), "m")

    assert found["conversations"] == 3
    assert (found["with_tools"], found["empty_turns"], found["out_of_turn"]) == (1, 2, 1)
    assert found["last_roles"] == {"assistant": 2, "user": 1}
    assert found["turns"] == [2, 2, 4]


PAIR = {"chosen": chat("q", "good"), "rejected": chat("q", "bad")}
VERDICTS: list[tuple[str, dict[str, Any], str]] = [
    ("sft", {"messages": chat("q")}, "ready"),
    ("sft", {"text": "words"}, "ready"),
    ("sft", {"prompt": "p", "completion": "c"}, "ready"),
    ("sft", {"prompt": chat("q")[:1], "completion": chat("q")[1:]}, "ready"),
    ("sft", {"conversations": [{"from": "human", "value": "h"}]}, "needs mapping"),
    ("sft", {"dialog": chat("q")}, "needs mapping"),
    ("sft", {"instruction": "i", "input": "", "output": "o"}, "needs mapping"),
    ("sft", {"question": "q", "answer": "a"}, "needs mapping"),
    ("sft", {"messages": "no list"}, "unfit"),
    ("sft", {"image": {"src": "x"}}, "unfit"),
    ("dpo", {"prompt": "p", "chosen": "c", "rejected": "r"}, "ready"),
    ("dpo", dict(PAIR), "ready"),
    ("dpo", {"question": "p", "chosen": "c", "rejected": "r"}, "needs mapping"),
    ("dpo", {"chosen": "c", "rejected": "r"}, "unfit"),
    ("dpo", {"chosen": "c", "rejected": chat("q")}, "unfit"),
    ("dpo", {"text": "t"}, "unfit"),
    ("grpo", {"prompt": "p", "answer": "a"}, "ready"),
    ("grpo", {"prompt": chat("q")[:1]}, "ready"),
    ("grpo", {"problem": "p", "solution": "s"}, "needs mapping"),
    ("grpo", {"messages": chat("q")}, "needs mapping"),
    ("grpo", {"text": "t"}, "unfit"),
]


@pytest.mark.parametrize(("method", "row", "word"), VERDICTS)
def test_a_verdict_follows_from_the_columns_and_says_why(
    method: str, row: dict[str, Any], word: str
) -> None:
    """The formats of the trainers decide; a mapping is given exactly where one is needed."""
    found = fit.verdict(sample(row, row), method)

    assert found["verdict"] == word, found
    assert found["reasons"]
    assert (found["mapping"] is not None) == (word == "needs mapping")


def test_a_mapping_is_code_that_brings_the_rows_into_form() -> None:
    """The proposed code runs and its result is ready."""
    datasets = pytest.importorskip("datasets")
    rows = [{"conversations": [{"from": "human", "value": "h"}, {"from": "gpt", "value": "g"}]}]
    mapping = fit.verdict(sample(*rows), "sft")["mapping"]

    mapped = eval(str(mapping), {"ds": datasets.Dataset.from_list(rows)})

    assert mapped.column_names == ["messages"]
    assert fit.verdict(sample(*mapped), "sft")["verdict"] == "ready"


def test_rows_without_content_count_against_the_verdict() -> None:
    """A few empty rows are named; mostly empty data is unfit."""
    few = fit.verdict(sample({"text": "a"}, {"text": "b"}, {"text": ""}), "sft")
    many = fit.verdict(sample({"text": "a"}, {"text": ""}, {"text": ""}), "sft")
    same = fit.verdict(sample({"prompt": "p", "chosen": "x", "rejected": "x"}), "dpo")

    assert (few["verdict"], many["verdict"]) == ("ready", "unfit")
    assert "1 of 3 rows" in str(few["reasons"])
    assert "both are the same" in str(same["reasons"])


@given(st.integers(1, 5000), st.integers(1, 3000))
def test_a_sample_covers_all_rows_or_spreads_over_them(total: int, most: int) -> None:
    """Windows stay inside the split, do not repeat it, and reach its end."""
    windows = viewer._starts(total, most) if total > 100 and most > 100 else []

    places = {place for start, size in windows for place in range(start, start + size)}
    assert all(0 <= place < total for place in places)
    if windows and total <= most:
        assert places == set(range(100, total))
    elif windows and most >= 300:
        assert max(places) > total * 0.6
    assert len(places) + 100 <= max(most, total) + 100


@given(st.recursive(st.none() | st.text(max_size=4) | st.integers(),
                    lambda inner: st.lists(inner, max_size=3)
                    | st.dictionaries(st.sampled_from(["role", "content", "from", "x"]), inner),
                    max_leaves=6))  # fmt: skip
def test_any_cell_can_be_audited(cell: Any) -> None:
    """No shape of data breaks the audit or a verdict."""
    rows = sample({"messages": cell, "prompt": cell, "chosen": cell, "rejected": cell})

    audit.nulls(rows)
    audit.duplicates(rows, None)
    audit.chat(rows, "messages")
    for method in fit.METHODS:
        assert fit.verdict(rows, method)["verdict"] in ("ready", "needs mapping", "unfit")

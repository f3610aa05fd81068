"""Every form of a metric line is read, the strongest one wins, hostile lines are survived."""

from __future__ import annotations

import ast
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from sweeper.jobs import metrics
from sweeper.jobs.metrics import MetricReader
from sweeper.jobs.metrics import Reading
from sweeper.jobs.metrics import format_line
from sweeper.jobs.metrics import numbered
from sweeper.jobs.metrics import parse_line


def read(lines: list[str], metric: str = "eval_loss", axis: str | None = None) -> list[Reading]:
    """Return all readings of some lines."""
    reader = MetricReader(metric, axis)
    return [reading for line in lines for reading in reader.feed(line)]


def pairs(lines: list[str], metric: str = "eval_loss", axis: str | None = None) -> list[object]:
    """Return step and value of all readings of some lines."""
    return [(reading.step, reading.value) for reading in read(lines, metric, axis)]


@pytest.mark.parametrize(
    ("line", "form", "values"),
    [
        ('[sweeper] {"step": 100, "eval_loss": 1.23}', 3, {"step": 100, "eval_loss": 1.23}),
        (' 5%|▌ | 1/20 [sweeper] {"eval_loss": 1}', 3, {"eval_loss": 1}),
        ('[rank0]: [sweeper] {"eval_loss": NaN, "x": "inf"}', 3, {"x": math.inf}),
        ("{'eval_loss': 1.23, 'epoch': 0.5}", 2, {"eval_loss": 1.23, "epoch": 0.5}),
        ("{'eval_loss': '1.23', 'epoch': '0.5'}", 2, {"eval_loss": 1.23, "epoch": 0.5}),
        ("{'loss': inf, 'grad_norm': -inf}", 2, {"loss": math.inf, "grad_norm": -math.inf}),
        (" 50%|█████ | 1/2 [00:01<00:01]{'loss': 2e-05}", 2, {"loss": 2e-5}),
        ("{'a': np.float64(0.5), 'b': tensor(2., device='cpu')}", 2, {"a": 0.5, "b": 2}),
        ('{"eval_loss": 1.5, "note": "a, b: {"}', 2, {"eval_loss": 1.5}),
        ("{'eval': {'eval_loss': 9.0}, 'loss': 1.0}", 2, {"loss": 1.0}),
        ("{'sizes': [1, 2], 'loss': 1.0, 'none': None}", 2, {"loss": 1.0}),
        ("epoch=3 eval_loss=1.23", 1, {"epoch": 3, "eval_loss": 1.23}),
        ("eval_loss: 1.23", 1, {"eval_loss": 1.23}),
        ("step: 12/800, val/acc = .5, done.", 1, {"step": 12, "val/acc": 0.5}),
        ("\x1b[1;32mloss\x1b[0m=\x1b[31m0.25\x1b[0m", 1, {"loss": 0.25}),
        ("loss=1.5. Next", 1, {"loss": 1.5}),
        ("loss=1e400", 1, {"loss": math.inf}),
    ],
)
def test_a_form_is_read(line: str, form: int, values: dict[str, float]) -> None:
    """Each form that the design lists, and what surrounds it in real logs."""
    said = parse_line(line)
    assert said is not None

    finite = {k: v for k, v in said.values.items() if v == v}
    assert (said.form, finite) == (form, values)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "Loading checkpoint shards",
        "transformers: 4.57.1",
        "time: 12ms",
        "loss=١٢",
        "loss=nano",
        "{'eval_loss': 1.23, 'epo",
        '[sweeper] {"eval_loss": 1.2',
        '[sweeper] ["eval_loss"]',
        "[sweeper] " + "[" * 100_000,
        "{'" + "{'a':" * 20_000,
        "http://127.0.0.1:8080/x",
    ],
)
def test_what_is_no_metric_is_not_read_as_one(line: str) -> None:
    """Half a document, versions, units, digits of other scripts."""
    assert parse_line(line) is None


def test_nan_and_infinity_of_the_objective_are_readings() -> None:
    """The conductor decides that they mean divergence."""
    values = [reading.value for reading in read(["eval_loss=nan", "eval_loss=-inf"])]

    assert math.isnan(values[0])
    assert values[1] == -math.inf


def test_a_stronger_form_voids_what_a_weaker_one_said() -> None:
    """A trainer's print is the same value with fewer digits, so only one of the two may count."""
    lines = ["eval_loss=1.2", "eval_loss=1.1", "{'eval_loss': 1.23}", "eval_loss=1.0"]

    assert read(lines) == [Reading(1, 1.2), Reading(2, 1.1), Reading(1, 1.23, restart=True)]


def test_the_stronger_form_counts_only_once_it_reports_the_objective() -> None:
    """A strong line about something else does not silence the script's own print."""
    lines = [format_line(step=1, loss=3.0), "eval_loss=1.2", format_line(step=2, eval_loss=1.25)]

    assert read(lines) == [Reading(1, 1.2), Reading(2, 1.25, restart=True)]


def test_a_reporter_that_comes_first_needs_no_restart() -> None:
    """The callback's line stands before the trainer's print of the same values."""
    lines = [
        format_line(reports="transformers"),
        format_line(step=5, epoch=0.5, eval_loss=1.23456789),
        "{'eval_loss': '1.235', 'epoch': '0.5'}",
    ]
    reader = MetricReader("eval_loss")

    assert [r for line in lines for r in reader.feed(line)] == [Reading(5, 1.23456789)]
    assert reader.reports == "transformers"


def test_a_step_is_the_axis_else_the_lines_step_else_its_epoch_else_counted() -> None:
    """The order that the design fixes, with an epoch in thousandths."""
    full = "{'eval_loss': 1.0, 'tokens': 7, 'step': 3, 'epoch': 0.5}"

    assert pairs([full], axis="tokens") == [(7, 1.0)]
    assert pairs([full], axis="epoch") == [(500, 1.0)]
    assert pairs([full]) == [(3, 1.0)]
    assert pairs(["{'eval_loss': 1.0, 'epoch': 1.2345}"]) == [(1234, 1.0)]
    assert pairs(["eval_loss=3", "eval_loss=2"]) == [(1, 3.0), (2, 2.0)]


def test_a_line_without_a_step_among_others_comes_after_them() -> None:
    """A last line that only sums up must not overwrite the first steps."""
    lines = ["step=100 eval_loss=1", "step=50 eval_loss=2", "eval_loss=0.5"]

    assert pairs(lines) == [(100, 1.0), (50, 2.0), (101, 0.5)]


@pytest.mark.parametrize("step", ["1e400", "nan", "-3", "99999999999"])
def test_a_step_that_no_storage_takes_is_no_step(step: str) -> None:
    """The reading is counted instead of lost."""
    assert pairs([f"step={step} eval_loss=1"]) == [(1, 1.0)]


def test_a_carriage_return_ends_a_line_and_a_line_separator_does_not() -> None:
    """Progress bars write over themselves; texts may hold U+2028."""
    assert pairs(["step=1 eval_loss=3\rstep=2 eval_loss=2\r"]) == [(1, 3.0), (2, 2.0)]
    assert pairs(["step=1\u2028eval_loss=3"]) == [(1, 3.0)]


def test_a_huge_line_is_read_at_its_end_only() -> None:
    """Ten megabytes of dots before a metric cost no more than the limit."""
    assert pairs(["." * 10_000_000 + " eval_loss=1.5"]) == [(1, 1.5)]
    assert pairs(["eval_loss=1.5 " + "." * 10_000_000]) == []


def test_other_names_are_remembered_with_their_last_values_up_to_a_limit() -> None:
    """A job whose metric never came can say what came instead."""
    reader = MetricReader("eval_loss")
    for line in ["loss=1", "acc=0.5", "loss=0.5", *(f"x{n}=1" for n in range(60))]:
        reader.feed(line)
    assert reader.seen["loss"] == 0.5

    for n in range(200):
        reader.feed(f"y{n}=1")
    assert len(reader.seen) == metrics.SEEN_LIMIT


def test_a_number_on_a_line_is_carried_through_and_drops_repeats() -> None:
    """A log that is replayed whole, in part or shifted yields each reading once."""
    lines = [numbered(f"step={n} eval_loss={n}", n) for n in range(1, 6)]
    replay = [lines[2], *lines, *reversed(lines)]
    found = read(replay)

    assert [reading.seq for reading in found] == [3, 1, 2, 4, 5]
    assert read(['[sweeper] {"seq": 4, "eval_loss": 1}'] * 2) == [Reading(1, 1.0, False, 4)]


def test_numbers_are_kept_as_ranges() -> None:
    """The state stays small however long a job talks."""
    reader = MetricReader("eval_loss")
    for n in range(3000):
        reader.feed(numbered("eval_loss=1", n))

    assert len(json.dumps(reader.state())) < 300


_texts = st.sampled_from(
    [
        "eval_loss=1.5",
        "step=7 eval_loss=nan",
        "epoch: 0.25 eval_loss: inf",
        "{'eval_loss': '2.5', 'epoch': 0.5}",
        "{'loss': 0.1}",
        '[sweeper] {"step": 3, "eval_loss": 0.123456789}',
        '[sweeper] {"reports": "transformers"}',
        '[sweeper] {"step": 9, "loss": 1}',
        "noise",
    ]
)
_lines = st.lists(
    st.one_of(_texts, st.builds(numbered, _texts, st.integers(0, 9)), st.text(max_size=40)),
    max_size=20,
)


@given(_lines, st.integers(0, 20), st.sampled_from([None, "epoch", "step"]))
def test_reading_on_from_a_state_equals_reading_on(
    lines: list[str], cut: int, axis: str | None
) -> None:
    """A conductor that was restarted in the middle of a log sees what one that was not sees."""
    straight = MetricReader("eval_loss", axis)
    expected = [reading for line in lines for reading in straight.feed(line)]
    first = MetricReader("eval_loss", axis)
    found = [reading for line in lines[:cut] for reading in first.feed(line)]
    state = json.loads(json.dumps(first.state(), allow_nan=False))
    second = MetricReader("eval_loss", axis, state)
    found += [reading for line in lines[cut:] for reading in second.feed(line)]

    assert repr(found) == repr(expected)
    assert repr(second.state()) == repr(straight.state())


@given(st.text() | st.text(alphabet="{}'\"[]():,=.0123456789eE+-naif \r\x1b", max_size=200))
@settings(max_examples=300)
def test_no_line_breaks_the_reader(line: str) -> None:
    """Whatever a job prints, its reader goes on."""
    reader = MetricReader("eval_loss")
    reader.feed(line)
    reader.feed("[sweeper] " + line)
    reader.feed("{'eval_loss'" + line)
    json.dumps(reader.state(), allow_nan=False)


_names = st.text(min_size=1, max_size=20).filter(lambda name: name not in ("seq", "reports"))


@given(st.dictionaries(_names, st.floats(allow_nan=False), min_size=1))
def test_what_is_written_is_read_to_the_last_digit(values: dict[str, float]) -> None:
    """The writer's line is one line of ASCII and comes back as it was."""
    line = format_line(**values)

    assert line.isascii()
    assert "\n" not in line
    assert parse_line(line) == metrics.Line(values, 3)


def test_the_reader_is_fit_for_an_old_python() -> None:
    """It travels into jobs that run 3.9; the syntax of a later one would end them at once."""
    folder = Path(metrics.__file__).parent
    files = [folder / "metrics.py", *(folder / "inside").glob("*.py")]
    for path in files:
        ast.parse(path.read_text(), feature_version=(3, 9))


def test_the_reader_loads_without_the_rest_of_the_product() -> None:
    """The runner inside a job has no optuna, pydantic or dataclasses to wait for."""
    program = (
        "import sys; from sweeper.jobs import metrics; "
        "heavy = {'pydantic', 'optuna', 'sqlalchemy', 'dataclasses', 'pathlib'}; "
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"

"""program.md: what is read, and that everything wrong is refused with line, key and the fix."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import pytest
from hypothesis import example
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from sweeper.budget.rules import Envelope
from sweeper.errors import ProgramError
from sweeper.program import Program
from sweeper.program import load
from tests.programs import EXAMPLE
from tests.programs import SOUND
from tests.programs import line_of
from tests.programs import page

ROOT = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder for one page."""
    place = tmp_path / "my sweep (1)"
    place.mkdir()
    return place


def read(folder: Path, text: str | bytes) -> Program:
    """Write a page and read it."""
    content = text if isinstance(text, bytes) else text.encode()
    (folder / "program.md").write_bytes(content)
    return load(folder)


def refused(folder: Path, text: str | bytes) -> ProgramError:
    """The refusal of a page, which must be a full sentence with a fix."""
    with pytest.raises(ProgramError) as caught:
        read(folder, text)
    error = caught.value
    assert error.message.endswith(".")
    assert error.hint
    assert "pydantic" not in error.message + error.hint
    assert json.loads(json.dumps(error.as_document()))["error"]["code"] == "program"
    return error


# ---- what is read


def test_the_example_of_the_design_is_a_program(folder: Path) -> None:
    """Word for word; what its constraint names is nowhere declared, and that is said."""
    program = read(folder, EXAMPLE)
    assert (program.name, program.sweep.executor) == ("capybara-sft", "hf")
    assert program.defaults() == {
        "learning_rate": 2e-5,
        "peft": "lora",
        "lora_r": 16,
        "scheduler": "cosine",
    }
    assert program.envelope() == Envelope(
        max_jobs=12,
        max_walltime_s=28_800.0,
        max_timeout_s=7200.0,
        max_micro_usd=25_000_000,
        max_elapsed_s=86_400.0,
        allowed_flavors=("t4-small", "a10g-large"),
        max_parallel=2,
    )
    assert "per_device_batch" in program.warnings[0]


def test_the_document_has_the_pinned_keys(folder: Path) -> None:
    """Durations are seconds under `<key>_s`."""
    document = read(folder, EXAMPLE).as_document()
    assert json.loads(json.dumps(document, allow_nan=False)) == document
    assert set(document) == {
        *("sweep", "goal", "scope", "training", "search_space", "constraints", "budget")
    }
    assert document["budget"] == {
        "max_jobs": 12,
        "max_walltime_s": 28_800.0,
        "max_cost": 25.0,
        "max_elapsed_s": 86_400.0,
        "allowed_flavors": ["t4-small", "a10g-large"],
        "max_timeout_s": 7200.0,
        "max_parallel": 2,
        "allow_deletes": False,
    }
    space = document["search_space"]
    assert isinstance(space, dict)
    assert space["lora_r"] == {
        "low": 4,
        "high": 64,
        "log": True,
        "step": None,
        "default": 16,
        "when": {"peft": ["lora"]},
    }
    assert space["peft"] == {"choices": ["lora", "none"], "default": "lora", "when": {}}


def test_a_page_of_the_least_has_the_documented_defaults(folder: Path) -> None:
    """Everything else has the value shown, or none."""
    program = read(folder, page(sweep=None, scope=None))
    assert program.name == "my-sweep-1"
    assert (program.sweep.executor, program.sweep.storage) == ("local", None)
    assert (program.goal.value, program.goal.target, program.goal.patience) == ("last", None, None)
    assert program.scope.model_dump() == {
        "models": [],
        "datasets": [],
        "output_repos": [],
        "frozen_script": False,
    }
    assert (program.training.parameters, program.training.gpus_per_trial) == ("args", None)
    assert (program.budget.max_parallel, program.budget.allow_deletes) == (1, False)
    assert program.budget.max_cost_usd is None


@pytest.mark.parametrize("place", ["folder", "file", "text"])
def test_a_program_is_found_by_folder_or_file(folder: Path, place: str) -> None:
    """And knows its own place and hash."""
    read(folder, page())
    file = folder / "program.md"
    program = load({"folder": folder, "file": file, "text": str(file)}[place])
    assert (program.path, program.folder) == (file, folder)
    assert program.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_relative_path_becomes_absolute(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default folder is the current one."""
    read(folder, page())
    monkeypatch.chdir(folder)
    assert load(Path()).folder == folder


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_page_comes_from_any_editor(folder: Path, mark: bytes, end: str) -> None:
    """The hash is that of its bytes all the same."""
    content = mark + page().replace("\n", end).encode()
    program = read(folder, content)
    assert program.sha256 == hashlib.sha256(content).hexdigest()
    assert program.search_space["lr"].low == 1e-5


@pytest.mark.parametrize(
    ("written", "seconds"),
    [("2h30m", 9000), ("1.5h", 5400), ("90m", 5400), ("5400", 5400), ("1d", 86400), ("'60'", 60)],
)
def test_durations(folder: Path, written: str, seconds: float) -> None:
    """As the issue lists them."""
    envelope = f"max_jobs: 2\nmax_walltime: {written}\nmax_timeout: 60"
    assert read(folder, page(budget=envelope)).budget.max_walltime_s == seconds


@pytest.mark.parametrize(
    ("written", "micro_usd"), [("2.5", 2_500_000), ("$3.05", 3_050_000), ("0.1", 100_000)]
)
def test_money_is_exact(folder: Path, written: str, micro_usd: int) -> None:
    """To the micro-dollar."""
    envelope = f"{SOUND['Budget envelope']}\nmax_cost: {written}"
    assert read(folder, page(budget=envelope)).envelope().max_micro_usd == micro_usd


def test_words_stay_as_they_were_written(folder: Path) -> None:
    """A number in args, a version of Python."""
    training = "script: t.py\nargs: [--n, 1e-5, true, 3.10]\npython: 3.10\nenv: {N: 010}"
    program = read(folder, page(training=training))
    assert program.training.args == ["--n", "1e-5", "true", "3.10"]
    assert (program.training.python, program.training.env) == ("3.10", {"N": "010"})


@pytest.mark.parametrize(
    ("declared", "kind", "default"),
    [
        ("{low: 4, high: 64, log: true}", "int", 16),
        ("{low: 0, high: 10}", "int", 5),
        ("{low: 0, high: 100, step: 25}", "int", 50),
        ("{low: 1e-5, high: 1e-3, log: true}", "float", 1e-4),
        ("{low: 0.0, high: 1}", "float", 0.5),
        ("{low: 0.0, high: 1.0, step: 0.25}", "float", 0.5),
        ("{low: 0, high: 10, default: 3.0}", "int", 3),
        ("{low: 0.0, high: 10.0, default: 3}", "float", 3.0),
        ("{low: 1e-300, high: 1e300, log: true}", "float", 1.0),
        ("[a, b]", "categorical", "a"),
        ("{choices: [1, 2.5, x, true2, null], default: null}", "categorical", None),
        ("{choices: [false, true], default: true}", "categorical", True),
        ("[16, 32]", "categorical", 16),
    ],
)
def test_parameters_and_their_defaults(
    folder: Path, declared: str, kind: str, default: object
) -> None:
    """A missing default is the middle, of the kind and on the grid, or the first choice."""
    parameter = read(folder, page(search_space=f"p: {declared}")).search_space["p"]
    assert (parameter.kind, parameter.default) == (kind, default)
    assert type(parameter.default) is type(default)
    assert parameter.contains(parameter.default)


CHAIN = """\
c: {low: 1, high: 8, when: {b: [2, 3]}}
b: {low: 1, high: 3, default: 2, when: {a: x}}
a: {choices: [x, y, z]}
d: {low: 0.0, high: 1.0, when: {a: [x, y], b: 2}}
"""


def test_conditions_form_a_chain(folder: Path) -> None:
    """A parameter is active while all its parents are, with one of the values named."""
    program = read(folder, page(search_space=CHAIN))
    assert program.order() == ["a", "b", "c", "d"]
    assert list(program.search_space) == ["c", "b", "a", "d"]
    assert program.active({"a": "x", "b": 2}) == ["a", "b", "c", "d"]
    assert program.active({"a": "x", "b": 3, "c": 1, "d": 1}) == ["a", "b", "c"]
    assert program.active({"a": "y", "b": 2}) == ["a"]
    assert program.active({}) == ["a"]
    assert program.defaults() == {"a": "x", "b": 2, "c": 4, "d": 0.5}


def test_the_older_envelope_keeps_working(folder: Path) -> None:
    """With `output_repos` inside it."""
    older = f'{SOUND["Budget envelope"]}\noutput_repos: ["me/sweep-*"]'
    assert read(folder, page(budget=older, scope=None)).scope.output_repos == ["me/sweep-*"]
    program = read(folder, page(budget=older))
    assert program.scope.model_dump(exclude={"frozen_script"}) == {
        "models": ["Qwen/Qwen2-0.5B"],
        "datasets": [],
        "output_repos": ["me/sweep-*"],
    }


def test_a_password_is_not_shown(folder: Path) -> None:
    """`check --json` is pasted into issues."""
    program = read(folder, page(sweep="storage: postgresql+psycopg://me:s3cret@host/db"))
    assert program.sweep.storage == "postgresql+psycopg://me:s3cret@host/db"
    assert "s3cret" not in json.dumps(program.as_document())
    assert "postgresql+psycopg://me:***@host/db" in json.dumps(program.as_document())


def test_a_program_knows_its_lines(folder: Path) -> None:
    """Whoever refuses something later can name them."""
    text = page()
    program = read(folder, text)
    assert program.line_of("Training", "script") == line_of(text, "script:")
    assert program.line_of("Search space", "lr", "high") == line_of(text, "lr:")
    assert program.line_of("Nowhere", "x") is None


def test_a_normal_page_is_read_quickly(folder: Path) -> None:
    """In CPU seconds, with a wide margin for a busy machine."""
    read(folder, EXAMPLE)
    began = time.process_time()
    for _ in range(5):
        load(folder)
    assert (time.process_time() - began) / 5 < 0.1


@pytest.mark.parametrize("study", sorted((ROOT / "studies").glob("*/program.md")), ids=str)
def test_the_shipped_studies_are_programs(study: Path) -> None:
    """And warn of nothing."""
    assert load(study).warnings == ()


# ---- what is refused


BUDGET = SOUND["Budget envelope"]
GOAL = SOUND["Goal"]
HF = "executor: hf"
FLAVORS = f"{BUDGET}\nallowed_flavors: [t4-small]"


@pytest.mark.parametrize(
    ("block", "body", "at", "key", "words"),
    [
        # unknown and repeated keys
        ("budget", f"{BUDGET}\nallowed_flavours: [x]", "allowed_flavours", "allowed_flavours",
         "Did you mean allowed_flavors?"),
        ("budget", f"{BUDGET}\nmax_walltime_s: 3", "max_walltime_s", "max_walltime_s",
         "Did you mean max_walltime?"),
        ("goal", f"{GOAL}\nmax_jobs: 3", "max_jobs: 3", "max_jobs", "under `## Budget envelope`"),
        ("goal", f"{GOAL}\nzzz: 3", "zzz", "zzz", "Known keys: metric, direction"),
        ("goal", f"{GOAL}\nmetric: acc", "metric: acc", "metric", "stands twice, in lines"),
        ("training", "script: t.py\nresource: {name: step, mx: 3}", "resource", "mx", "mean max?"),
        ("search_space", "lr: {lo: 1, high: 2}", "lr:", "lr", "Did you mean low?"),
        ("search_space", "lr: {min: 1, max: 2}", "lr:", "lr", "Did you mean low?"),
        ("search_space", "lr: {low: 1, high: 2}\nlr: [1]", "lr: [1]", "lr", "stands twice"),
        # ranges
        ("search_space", 'lr: {low: "1e-5", high: 1}', "lr:", "lr", "'1e-5', not a number"),
        ("search_space", "lr: {low: 1, high: 1_000}", "lr:", "lr", "'1_000', not a number"),
        ("search_space", "lr: {low: true, high: 2}", "lr:", "lr", "true, not a number"),
        ("search_space", "lr: {low: 1, high: }", "lr:", "lr", "null, not a number"),
        ("search_space", "lr: {low: 1}", "lr:", "lr", "has no high"),
        ("search_space", "lr: {}", "lr:", "lr", "has no low"),
        ("search_space", "lr: {low: 2, high: 1}", "lr:", "lr", "low 2 ≥ high 1"),
        ("search_space", "lr: {low: 2, high: 2.0}", "lr:", "lr", "low 2.0 ≥ high 2.0"),
        ("search_space", "lr: {low: 0, high: 1.0, log: true}", "lr:", "lr", "low is 0.0"),
        ("search_space", "lr: {low: -4, high: 4, log: true}", "lr:", "lr", "low is -4"),
        ("search_space", "lr: {low: 1, high: 2, log: yes}", "lr:", "lr", "log of lr is 'yes'"),
        ("search_space", "lr: {low: .nan, high: 1}", "lr:", "lr", "nan, beyond every use"),
        ("search_space", "lr: {low: 0, high: .inf}", "lr:", "lr", "inf, beyond every use"),
        ("search_space", "lr: {low: 0, high: 1e999}", "lr:", "lr", "inf, beyond every use"),
        ("search_space", "n: {low: 0, high: 99999999999999999999}", "n:", "n", "beyond every use"),
        ("search_space", "x: {low: -1.7e308, high: 1.7e308}", "x:", "x", "beyond every use"),
        ("search_space", "n: {low: 0, high: 10, step: 3}", "n:", "n", "high: 9 or high: 12"),
        ("search_space", "x: {low: 0.0, high: 1.0, step: 0.3}", "x:", "x", "does not divide"),
        ("search_space", "n: {low: 0, high: 10, step: 20}", "n:", "n", "does not divide"),
        ("search_space", "n: {low: 0, high: 10, step: 0}", "n:", "n", "step of n is 0"),
        ("search_space", "n: {low: 0, high: 10, step: -5}", "n:", "n", "step of n is -5"),
        ("search_space", "n: {low: 0, high: 1, step: 0.5}", "n:", "n", "low: 0.0, high: 1.0"),
        ("search_space", "n: {low: 1, high: 9, step: 2, log: true}", "n:", "n", "both log: true"),
        ("search_space", "n: {low: 0, high: 10, step: }", "n:", "n", "null, not a number"),
        ("search_space", "lr:\n  low: 1\n  high: 8\n  default: 9", "default: 9", "lr", "1 to 8"),
        ("search_space", "n: {low: 1, high: 8, default: 2.5}", "n:", "n", "a whole number from"),
        ("search_space", "n: {low: 0, high: 10, step: 5, default: 7}", "n:", "n", "steps of 5"),
        ("search_space", "n: {low: 1, high: 8, default: '2'}", "n:", "n", "'2', is not in its"),
        ("search_space", "n: {low: 1, high: 8, default: }", "n:", "n", "null, is not in its"),
        ("search_space", "n: {low: 0, high: 1, default: true}", "n:", "n", "true, is not in its"),
        # choices
        ("search_space", "o: []", "o:", "o", "at least one value"),
        ("search_space", "o: {choices: []}", "o:", "o", "at least one value"),
        ("search_space", "o: {choices: adam}", "o:", "o", "at least one value"),
        ("search_space", "o: [a, b, a]", "o:", "o", "a a second time"),
        ("search_space", "o: [1, true]", "o:", "o", "true a second time"),
        ("search_space", "o:\n- a\n- [b, c]", "- [b, c]", "o", "a list, ['b', 'c']"),
        ("search_space", "o: [{a: 1}]", "o:", "o", "a map, {'a': 1}"),
        ("search_space", "o: [1, .nan]", "o:", "o", "not finite"),
        ("search_space", "o: {choices: [a, b], default: c}", "o:", "o", "none of its choices"),
        ("search_space", "o: {choices: [1, 2], default: true}", "o:", "o", "none of its choices"),
        ("search_space", "o: {choices: [a], low: 1}", "o:", "o", "both choices and low"),
        # names
        ("search_space", "1st: [a]", "1st", "1st", "cannot be the name"),
        ("search_space", "learning-rate: [a]", "learning-rate", "learning-rate", "cannot be"),
        ("search_space", "größe: [a]", "größe", "größe", "cannot be the name"),
        ("search_space", "help: [a]", "help", "help", "cannot be the name"),
        ("search_space", "h: [a]", "h: [", "h", "cannot be the name"),
        ("search_space", f"{'x' * 65}: [a]", "xxx", "x" * 65, "cannot be the name"),
        ("search_space", "model: [a]", "model: [a]", "model", "--model stands in line"),
        # shapes
        ("search_space", "lr: 3", "lr:", "lr", "neither a range nor a set"),
        ("search_space", "lr: abc", "lr:", "lr", "neither a range nor a set"),
        ("search_space", "lr:", "lr:", "lr", "neither a range nor a set"),
        # when
        ("search_space", "a: {low: 1, high: 2, when: {pfet: x}}\npeft: [x]", "a:", "a",
         "Did you mean peft?"),
        ("search_space", "a: {choices: [1, 2], when: {b: 1}}\nb: {choices: [1], when: {a: 1}}",
         "a:", "a", "a, b run in a circle"),
        ("search_space", "x: {choices: [1], when: {a: 1}}\na: {choices: [1], when: {a: 1}}",
         "a: {", "a", "(`when`) of a run in a circle"),
        ("search_space", "a: [x]\nb: {choices: [1], when: {a: y}}", "b:", "b", "it never is"),
        ("search_space", "a: [x]\nb: {choices: [1], when: {a: [x, y]}}", "b:", "b", "it never is"),
        ("search_space", "a: {low: 1, high: 3}\nb: {choices: [1], when: {a: 4}}", "b:", "b", "4"),
        ("search_space", "a: {low: 1, high: 3}\nb: {choices: [1], when: {a: 1.5}}", "b:", "b",
         "1.5, which it never is"),
        ("search_space", "a: [true, false]\nb: {choices: [1], when: {a: 1}}", "b:", "b", "never"),
        ("search_space", "a: [x]\nb: {choices: [1], when: x}", "b:", "b", "when: {parent: value}"),
        ("search_space", "a: [x]\nb: {choices: [1], when: {}}", "b:", "b", "when: {parent"),
        ("search_space", "a: [x]\nb: {choices: [1], when: {a: []}}", "b:", "b", "one value, or"),
        ("search_space", "a: [x]\nb: {choices: [1], when: {a: {c: 1}}}", "b:", "b", "one value"),
        # constraints
        ("search_space", "a: [1, 2]\nconstraints: a > 1", "constraints", "constraints", "list"),
        ("search_space", "a: [1, 2]\nconstraints:\n- a >= 1\n- a > 1", "- a > 1", "constraints",
         "do not meet `a > 1`: a = 1"),
        ("search_space", "a: [1]\nconstraints: [a ==]", "constraints", "constraints",
         "not an expression"),
        ("search_space", "a: [1]\nconstraints: [3]", "constraints", "constraints", "quotes"),
        ("search_space", "a: [1]\nconstraints: [a * b == 1]", "constraints", "constraints",
         "b in 'a * b == 1' is no parameter"),
        ("search_space", "batch: [1]\nconstraints: [bacth == 1]", "constraints", "constraints",
         "bacth in 'bacth == 1' is no parameter"),
        ("search_space", "a: [x, y]\nconstraints: [a == 1]", "constraints", "constraints",
         "a in `a == 1` is not a number"),
        # limits
        ("budget", "max_walltime: 1w\nmax_jobs: 1\nmax_timeout: 1h", "max_walltime",
         "max_walltime", "unknown unit 'w'"),
        ("budget", "max_jobs: 0\nmax_walltime: 1h\nmax_timeout: 1h", "max_jobs", "max_jobs",
         "0, is less than 1"),
        ("budget", "max_jobs: -3\nmax_walltime: 1h\nmax_timeout: 1h", "max_jobs", "max_jobs",
         "-3, is less than 1"),
        ("budget", "max_jobs: '2'\nmax_walltime: 1h\nmax_timeout: 1h", "max_jobs", "max_jobs",
         "'2', is not a whole number"),
        ("budget", "max_jobs: 2.5\nmax_walltime: 1h\nmax_timeout: 1h", "max_jobs", "max_jobs",
         "2.5, is not a whole number"),
        ("budget", "max_jobs: true\nmax_walltime: 1h\nmax_timeout: 1h", "max_jobs", "max_jobs",
         "true, is not a whole number"),
        ("budget", "max_jobs:\nmax_walltime: 1h\nmax_timeout: 1h", "max_jobs", "max_jobs",
         "is empty"),
        ("budget", "max_jobs: 1\nmax_walltime: 0\nmax_timeout: 1h", "max_walltime",
         "max_walltime", "above zero, not 0"),
        ("budget", "max_jobs: 1\nmax_walltime: .nan\nmax_timeout: 1h", "max_walltime",
         "max_walltime", "above zero, not nan"),
        ("budget", "max_jobs: 1\nmax_walltime: .inf\nmax_timeout: 1h", "max_walltime",
         "max_walltime", "longer than ten years"),
        ("budget", "max_jobs: 1\nmax_walltime: 1h\nmax_timeout: 2h", "max_timeout", "max_timeout",
         "2h, is longer than max_walltime, 1h"),
        ("budget", f"{BUDGET}\nmax_elapsed: 1h", "max_timeout", "max_timeout", "max_elapsed, 1h"),
        ("budget", f"{BUDGET}\nmax_elapsed: [1h]", "max_elapsed", "max_elapsed", "not a duration"),
        ("budget", f"{BUDGET}\nmax_cost: 0", "max_cost", "max_cost", "no money at all"),
        ("budget", f"{BUDGET}\nmax_cost: -1", "max_cost", "max_cost", "not an amount"),
        ("budget", f"{BUDGET}\nmax_cost: .nan", "max_cost", "max_cost", "not an amount"),
        ("budget", f"{BUDGET}\nmax_cost: .inf", "max_cost", "max_cost", "not an amount"),
        ("budget", f"{BUDGET}\nmax_parallel: 0", "max_parallel", "max_parallel", "less than 1"),
        ("budget", f"{BUDGET}\nallow_deletes: yes", "allow_deletes", "allow_deletes",
         "neither true nor false"),
        ("budget", f"{BUDGET}\nallowed_flavors: t4-small", "allowed_flavors", "allowed_flavors",
         "Write [t4-small]"),
        ("budget", f"{BUDGET}\nallowed_flavors: [t4-smal]", "allowed_flavors", "allowed_flavors",
         "Did you mean t4-small?"),
        ("budget", "max_walltime: 1h\nmax_timeout: 1h", "```yaml\nmax_walltime", "max_jobs",
         "Add `max_jobs: 12`"),
        # goal
        ("goal", "direction: minimize", "```yaml\ndirection", "metric", "Goal has no metric"),
        ("goal", "metric: a", "```yaml\nmetric: a", "direction", "Add `direction: minimize`"),
        ("goal", "metric: a\ndirection: min", "direction", "direction", "'minimize' or"),
        ("goal", "metric: a b\ndirection: minimize", "metric", "metric", "the script prints"),
        ("goal", "metric: 5\ndirection: minimize", "metric", "metric", "not a text"),
        ("goal", f"{GOAL}\ntarget: .nan", "target", "target", "not a finite number"),
        ("goal", f"{GOAL}\ntarget: '1.3'", "target", "target", "without quotes"),
        ("goal", f"{GOAL}\npatience: 0", "patience", "patience", "less than 1"),
        ("goal", f"{GOAL}\nmin_gain_per_usd: 0", "min_gain", "min_gain_per_usd", "not above 0"),
        ("goal", f"{GOAL}\nvalue: first", "value", "value", "'last' or 'best'"),
        # training
        ("training", "args: []", "```yaml\nargs: []", "script", "neither script nor command"),
        ("training", "script: a.py\ncommand: [b]", "command", "command", "both script and"),
        ("training", "command: [b]\nparameters: constants", "parameters", "parameters",
         "only a command"),
        ("training", "command: python t.py", "command", "command", "Write [python, t.py]"),
        ("training", "script: t.py\nparameters: argv", "parameters", "parameters", "'args', "),
        ("training", "script: t.py\nargs: [--o,\n  {output_dir}]", "{output_dir}", "args",
         'Write "{output_dir}", in quotes.'),
        ("training", 'script: t.py\nargs: ["{outptu_dir}"]', "args", "args",
         "Did you mean output_dir?"),
        ("training", 'script: t.py\nargs: ["--lr={lr}"]', "args", "args", "by itself"),
        ("training", 'command: [t, "{name}"]', "command", "command", "{name} in command"),
        ("training", 'script: t.py\nargs: ["{output_repo}"]', "args", "output_repos",
         "Scope has no output_repos"),
        ("training", "script: t.py\nargs: [--lr=3]", "lr:", "lr", "--lr stands in line"),
        ("training", "script: t.py\nargs: --lr 3", "args", "args", "Write [--lr, 3]"),
        ("training", "script: t.py\nargs: [a, null]", "args", "args", "entry 2 of args is empty"),
        ("training", "script: t.py\nargs: [[a]]", "args", "args", "not a text"),
        ("training", "script: [a]", "script: [a]", "script", "not a text"),
        ("training", "script: t.py\nsecrets: [HF_TOKEN=hf_x]", "secrets", "secrets", "only the"),
        ("training", "script: t.py\nenv: {SWEEPER_SEED: 1}", "env", "env", "by sweeper itself"),
        ("training", "script: t.py\nenv: {'a b': 1}", "env", "env", "no name of an environment"),
        ("training", "script: t.py\nenv: {X: {trial}}", "env", "env", '"{trial}", in quotes'),
        ("training", "script: t.py\nparameters: env\nenv: {lr: 1}", "lr: {low", "lr", "already"),
        ("training", "script: t.py\ngpus_per_trial: 0", "gpus", "gpus_per_trial", "less than 1"),
        ("training", "script: t.py\nresource: step", "resource", "resource", "{name: step"),
        ("training", "script: t.py\nresource: {max: 3}", "resource", "name", "has no name"),
        ("training", "script: t.py\nresource: {name: s, max: 0}", "resource", "resource",
         "resource max, 0, is not above 0"),
        # scope and sweep
        ("scope", "output_repos: [me]", "output_repos", "output_repos", "owner/name"),
        ("scope", 'output_repos: ["*/x"]', "output_repos", "output_repos", "owner/name"),
        ("scope", 'output_repos: ["me/*-*"]', "output_repos", "output_repos", "at most one *"),
        ("scope", "models: Qwen/Qwen2", "models: Qwen/Qwen2\n", "models", "Write [Qwen/Qwen2]"),
        ("scope", "frozen_script: 1", "frozen_script", "frozen_script", "neither true nor"),
        ("sweep", "executor: slurm", "executor", "executor", "'local' or 'hf'"),
        ("sweep", "executor:", "executor", "executor", "is empty"),
        ("sweep", "executor: hf", "```yaml\nmax_jobs", "allowed_flavors", "has no allowed_fla"),
        ("sweep", "name: a/b", "name:", "name", "cannot be a name"),
        ("sweep", "storage: foo.db", "storage", "storage", "no database"),
        # the page's own grammar
        ("search_space", "a: &x [1]\nb: *x", "a:", None, "anchor"),
        ("search_space", "a: !!set {x}", "a:", None, "tag"),
        ("search_space", "a: [1]\n<<: {b: [1]}", "<<", None, "merge key"),
        ("search_space", "a: [1]\n---\nb: [1]", "---", None, "second YAML document"),
        ("search_space", "- a\n- b", "- a", "Search space", "not a map"),
        ("search_space", "", "```yaml\n\n```", "Search space", "declares no parameter"),
        ("search_space", "constraints: []", "```yaml\nconstraints", "Search space", "declares no"),
        ("goal", "metric: a\n## Training\ndirection: minimize", "## Training", "training",
         "inside the fence"),
    ],
)  # fmt: skip
def test_every_wrong_input_is_refused_with_line_key_and_fix(
    folder: Path, block: str, body: str, at: str, key: str | None, words: str
) -> None:
    """The line is that of the key; of what is missing, that of its block."""
    text = page(**{block: body})
    error = refused(folder, text)
    assert error.line == line_of(text, at)
    assert error.key == key
    assert words in f"{error.message} {error.hint}"


def test_a_secret_in_the_wrong_place_is_not_repeated(folder: Path) -> None:
    """A refusal is pasted into issues, too."""
    for training in ("secrets: [HF_TOKEN=hf_abc]", "env: {X: [hf_abc]}", "env: {hf_abc-: 1}"):
        error = refused(folder, page(training=f"script: t.py\n{training}"))
        if "hf_abc-" not in training:
            assert "hf_abc" not in f"{error.message} {error.hint}"


@pytest.mark.parametrize("key", ["script", "evaluate", "files"])
@pytest.mark.parametrize("name", ["../train.py", "/srv/train.py"])
def test_a_job_cannot_take_along_what_lies_elsewhere(folder: Path, key: str, name: str) -> None:
    """On this machine it lies where it lies."""
    listed = f"[{name}]" if key == "files" else name
    training = f"{key}: {listed}" if key == "script" else f"script: t.py\n{key}: {listed}"
    text = page(sweep=HF, budget=FLAVORS, training=training)
    error = refused(folder, text)
    assert (error.line, error.key) == (line_of(text, f"{key}: "), key)
    assert read(folder, page(training=training)).training.script


@pytest.mark.parametrize("flavor", ["local", "dry"])
def test_a_job_elsewhere_is_not_free(folder: Path, flavor: str) -> None:
    """The flavors of this machine cost nothing, and do not exist on the Hub."""
    text = page(sweep=HF, budget=f"{BUDGET}\nallowed_flavors: [{flavor}]")
    assert refused(folder, text).key == "allowed_flavors"


def test_a_new_flavor_of_the_hub_is_left_to_its_price_list(folder: Path) -> None:
    """The snapshot may be older than the Hub."""
    text = page(sweep=HF, budget=f"{BUDGET}\nallowed_flavors: [b300x8]")
    assert read(folder, text).budget.allowed_flavors == ["b300x8"]


def test_output_repos_in_both_places_are_refused(folder: Path) -> None:
    """One of them would be passed over."""
    text = page(scope="output_repos: [me/a]", budget=f"{BUDGET}\noutput_repos: [me/b]")
    assert refused(folder, text).line == line_of(text, "output_repos: [me/b]")


@pytest.mark.parametrize("missing", ["goal", "training", "search_space", "budget"])
def test_a_missing_block_is_named_with_what_it_needs(folder: Path, missing: str) -> None:
    """It concerns the whole file, so there is no line."""
    error = refused(folder, page(**{missing: None}))
    heading = next(name for name in SOUND if name.lower().startswith(missing.replace("_", " ")))
    assert (error.line, error.key) == (None, heading)
    assert error.message == f"program.md: There is no `## {heading}` with a ```yaml block."
    assert f"`## {heading}` with" in (error.hint or "")


def test_an_older_page_is_told_what_to_add(folder: Path) -> None:
    """It had prose for the goal, and the envelope for the guard."""
    older = (
        "# Goal\nLower the loss.\n\n## Budget envelope\n```yaml\nmax_jobs: 6\nmax_walltime: 4h\n"
        "allowed_flavors: [t4-small]\nmax_timeout: 2h\nallow_deletes: false\n"
        'output_repos: ["me/sweep-*"]\n```\n'
    )
    error = refused(folder, older)
    assert "Only the envelope is there" in error.message
    for heading in ("Goal` with metric and direction", "Training` with script", "Search space"):
        assert f"`## {heading}" in (error.hint or "")


def test_a_heading_inside_a_fence_is_found(folder: Path) -> None:
    """A fence that was opened too early swallows it."""
    text = page().replace("## Goal", "```text\n## Goal", 1).replace("## Scope", "````\n## Scope")
    error = refused(folder, text.replace("```text", "````text"))
    assert error.line == line_of(text, "## Goal")
    assert "inside the fence" in error.message


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (page() + "\n## Goal\n```yaml\nmetric: b\n```\n", None, "stands twice"),
        (page().replace("## Scope", "```yaml\nx: 1\n```\n## Scope"), None, "two yaml blocks"),
        (page().replace("```yaml\nmetric", "```\nmetric"), None, "not marked as yaml"),
        (page().replace("## Search space", "## Search spaces"), None, "not a heading of ours"),
        (page() + "```text\n", None, "never closed"),
        (page().encode() + b"\xff", page().count("\n") + 1, "0xff is not UTF-8"),
        (page().encode("utf-16"), 1, "is not UTF-8"),
        (b"", None, "There is no `## Goal`"),
        (b"x" * (1 << 20) + b"x", None, "larger than 1024 KiB"),
    ],
)
def test_a_page_that_is_wrong_as_a_whole(
    folder: Path, text: str | bytes, line: int | None, words: str
) -> None:
    """Its blocks are not even looked at."""
    error = refused(folder, text)
    assert words in error.message
    assert line is None or error.line == line


def test_there_must_be_a_page(folder: Path) -> None:
    """The way to one is shown; the line is that of no file."""
    with pytest.raises(ProgramError, match=r"program\.md: There is no program\.md in") as caught:
        load(folder)
    assert "sweeper init" in (caught.value.hint or "")
    assert caught.value.line is None


# ---- whatever comes


FRAGMENTS = st.sampled_from(
    [
        *("*", "&a", "!!x", "<<: {a: 1}", "---", "```", "```yaml", "## Goal", "{", "}", "[", "]"),
        *(
            '"',
            "'",
            ":",
            ": ",
            "-",
            "#",
            "\t",
            "\n",
            "\r",
            "\0",
            "\u2028",
            "\ud7ff",
            "é",
            "|",
            ">",
        ),
        *(".nan", ".inf", "-1", "0", "1e999", "9" * 70, "null", "true", "{output_dir}", "1w"),
        *("when: {lr: 1}", "choices: [a]", "step: 3", "low", "constraints", "- ", "? ", "%YAML"),
    ]
)
EDITS = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), FRAGMENTS), max_size=4)


@settings(max_examples=400, deadline=None)
@given(base=st.sampled_from([page(), EXAMPLE, page(search_space=CHAIN)]), edits=EDITS)
@example(base=page(), edits=[])
def test_a_mutated_page_is_a_program_or_refused(
    tmp_path_factory: pytest.TempPathFactory, base: str, edits: list[tuple[float, int, str]]
) -> None:
    """With a line of the file; with none only where a whole block is missing."""
    for place, length, fragment in edits:
        at = round(place * len(base))
        base = base[:at] + fragment + base[at + length :]
    folder = tmp_path_factory.getbasetemp()
    content = base.encode("utf-8", "surrogatepass")
    (folder / "program.md").write_bytes(content)
    error = program = None
    try:
        program = load(folder)
    except ProgramError as caught:
        error = caught
    if program is not None:
        assert json.dumps(program.as_document(), allow_nan=False)
        assert all(constraint.evaluate(program.defaults()) for constraint in program.constraints)
    if error is not None:
        assert error.hint
        lines = base.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
        assert "There is no `## " in error.message if error.line is None else error.line <= lines


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    """None of them is a program by chance."""
    folder = tmp_path_factory.getbasetemp()
    (folder / "program.md").write_bytes(content)
    with pytest.raises(ProgramError):
        load(folder)

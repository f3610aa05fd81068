"""What `sweeper init` drafts from a script."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from sweeper import program
from sweeper.draft.page import draft_program
from sweeper.errors import ScriptError
from sweeper.program import Program

SCRIPTS = Path(__file__).parent / "scripts"

#: Script -> way, metric, direction, some of the searched names, some words of `args`.
EXPECTED = {
    "bert_glue": (
        "args",
        "eval_accuracy",
        "maximize",
        {"dropout", "pooling", "learning_rate", "num_train_epochs"},
        ["--output_dir", "{output_dir}"],
    ),
    "boosted_trees": (
        "args",
        "mae",
        "minimize",
        {"learning_rate", "max_depth", "subsample", "n_estimators", "reg_lambda", "booster"},
        ["--train_file", "<train_file>"],
    ),
    "click_app": (
        "args",
        "valid_loss",
        "minimize",
        {"lr", "hidden_size", "scheduler", "dropout"},
        ["<data>", "--out", "{output_dir}"],
    ),
    "convnet": (
        "args",
        "test_acc",
        "maximize",
        {"batch_size", "lr", "momentum", "weight_decay", "optimizer"},
        ["--seed", "{seed}", "--save_dir", "{output_dir}"],
    ),
    "from_dataclass": (
        "json",
        "val_loss",
        "minimize",
        {"lr", "d_model", "n_heads", "n_layers"},
        [],
    ),
    "from_document": (
        "json",
        "val_loss",
        "minimize",
        {"learning_rate", "num_layers", "dropout", "grad_clip"},
        [],
    ),
    "from_environment": (
        "env",
        "val_rmse",
        "minimize",
        {"LR", "BATCH_SIZE", "WEIGHT_DECAY", "MOMENTUM"},
        [],
    ),
    "gpt_constants": (
        "constants",
        "val_loss",
        "minimize",
        {"BATCH_SIZE", "N_EMBD", "LEARNING_RATE", "BETA2", "WARMUP_ITERS"},
        [],
    ),
    "lora_by_hand": (
        "args",
        "eval_loss",
        "minimize",
        {"learning_rate", "lora_r", "lora_dropout", "num_epochs"},
        ["--data_path", "<data_path>", "--output_dir", "{output_dir}"],
    ),
    "trl_grpo": (
        "args",
        "reward",
        "maximize",
        {"learning_rate", "beta", "temperature", "epsilon", "use_peft", "lora_r"},
        ["--model_name_or_path", "Qwen/Qwen2.5-1.5B-Instruct", "--dataset_name", "trl-lib/tldr"],
    ),
    "trl_sft": (
        "args",
        "eval_loss",
        "minimize",
        {"learning_rate", "lr_scheduler_type", "weight_decay", "use_peft", "lora_r"},
        ["--model_name_or_path", "<model_name_or_path>", "--eval_strategy", "steps"],
    ),
    "typer_app": (
        "args",
        "val_f1",
        "maximize",
        {"lr", "weight_decay", "label_smoothing"},
        ["--seed", "{seed}"],
    ),
    "tyro_app": (
        "args",
        "episodic_return",
        "maximize",
        {"learning_rate", "max_grad_norm", "eps"},
        ["--seed", "{seed}"],
    ),
}


def drafted(script: Path, folder: Path) -> Program:
    """Return the drafted page as `program.load` reads it."""
    page = folder / "program.md"
    page.write_text(draft_program(script), encoding="utf-8")
    return program.load(page)


def outcome(script: Path, folder: Path) -> Program | ScriptError:
    """Return what comes of a script: a program, or the refusal."""
    try:
        return drafted(script, folder)
    except ScriptError as error:
        return error


def written(tmp_path: Path, text: str) -> Path:
    """Return a script with that text."""
    script = tmp_path / "train.py"
    script.write_text(text, encoding="utf-8")
    return script


def test_every_script_of_the_corpus_has_its_expectation():
    """A script that is added to the corpus is tested, or is the one that cannot be drafted."""
    assert {path.stem for path in SCRIPTS.glob("*.py")} == {*EXPECTED, "dashed"}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_draft_loads_and_says_what_the_script_is(name: str, tmp_path: Path):
    """Way, metric, direction, parameters and arguments are those of the script."""
    way, metric, direction, searched, words = EXPECTED[name]

    found = drafted(SCRIPTS / f"{name}.py", tmp_path)

    assert found.training.parameters == way
    assert (found.goal.metric, found.goal.direction) == (metric, direction)
    assert searched <= set(found.search_space)
    assert [word for word in found.training.args if word in words] == words


@pytest.mark.parametrize(
    ("script", "name", "default"),
    [
        ("convnet", "lr", 1.0),
        ("convnet", "momentum", 0.0),
        ("convnet", "batch_size", 64),
        ("bert_glue", "learning_rate", 3e-5),
        ("from_environment", "MOMENTUM", 0.9),
        ("gpt_constants", "WARMUP_ITERS", 100),
        ("trl_sft", "learning_rate", 2e-5),
        ("lora_by_hand", "lora_r", 8),
    ],
)
def test_the_scripts_own_default_is_the_first_trial(
    script: str, name: str, default: float, tmp_path: Path
):
    """What the script would do by itself is the baseline."""
    assert drafted(SCRIPTS / f"{script}.py", tmp_path).search_space[name].default == default


@pytest.mark.parametrize(
    ("script", "name"),
    [
        ("convnet", "seed"),
        ("convnet", "log_interval"),
        ("convnet", "nesterov"),
        ("convnet", "arch"),
        ("convnet", "epochs"),
        ("lora_by_hand", "lora_alpha"),
        ("lora_by_hand", "train_on_inputs"),
        ("gpt_constants", "BLOCK_SIZE"),
        ("gpt_constants", "SEED"),
        ("gpt_constants", "MIN_LR"),
        ("boosted_trees", "n_jobs"),
        ("typer_app", "batch_size"),
        ("tyro_app", "anneal_lr"),
    ],
)
def test_what_is_no_hyperparameter_is_not_searched(script: str, name: str, tmp_path: Path):
    """Places, seeds, logging, machines and what cannot be passed are left alone."""
    assert name not in drafted(SCRIPTS / f"{script}.py", tmp_path).search_space


def test_momentum_waits_for_an_optimizer_that_has_it(tmp_path: Path):
    """A parameter that only matters under another one's value is conditional."""
    found = drafted(SCRIPTS / "convnet.py", tmp_path).search_space["momentum"]

    assert found.when == {"optimizer": ("sgd", "rmsprop")}


def test_a_rank_waits_for_the_adapter(tmp_path: Path):
    """Without LoRA there is no rank."""
    assert drafted(SCRIPTS / "trl_sft.py", tmp_path).search_space["lora_r"].when == {
        "use_peft": (True,)
    }


def test_heads_divide_the_width(tmp_path: Path):
    """Sizes that must divide each other get a constraint, which the defaults meet."""
    found = drafted(SCRIPTS / "gpt_constants.py", tmp_path)

    assert [each.text for each in found.constraints] == ["N_EMBD % N_HEADS == 0"]


def test_the_axis_is_named_when_the_script_says_where_it_ends(tmp_path: Path):
    """A constant that bounds the printed step bounds the pruner's axis."""
    found = drafted(SCRIPTS / "gpt_constants.py", tmp_path).training.resource

    assert found is not None
    assert (found.name, found.max) == ("step", 5000)


def test_an_unknown_number_is_offered_rather_than_searched(tmp_path: Path):
    """What is not known to be a hyperparameter stands there as a comment."""
    text = draft_program(SCRIPTS / "gpt_constants.py")

    assert "# STRANGE_FACTOR: {low: 0.12, high: 1.0, log: true, default: 0.37}" in text


def test_unknown_numbers_are_searched_when_there_is_nothing_else(tmp_path: Path):
    """A script of its own words still gets a draft."""
    script = written(tmp_path, "STIFFNESS = 3.0\nROUNDS = 8\nprint(f'error={STIFFNESS}')\n")

    assert set(drafted(script, tmp_path).search_space) == {"STIFFNESS", "ROUNDS"}


def test_files_beside_the_script_go_along(tmp_path: Path):
    """Modules that it imports and files that it names travel with it."""
    (tmp_path / "model.py").write_text("")
    (tmp_path / "text.txt").write_text("")
    (tmp_path / "unused.py").write_text("")
    script = written(tmp_path, "import model\nLR = 0.1\nopen('text.txt')\nprint(f'loss={LR}')\n")

    assert drafted(script, tmp_path).training.files == ["model.py", "text.txt"]


def test_a_name_is_written_where_it_is_given(tmp_path: Path):
    """`name` becomes the sweep's, and the folder's is the default."""
    page = tmp_path / "program.md"
    script = written(tmp_path, "LR = 0.1\nprint(f'loss={LR}')\n")

    page.write_text(draft_program(script, name="first-try"))

    assert program.load(page).name == "first-try"


def test_no_line_is_too_long_to_read():
    """Drafts stay inside the width of the house."""
    for path in SCRIPTS.glob("*.py"):
        if path.stem != "dashed":
            assert max(map(len, draft_program(path).splitlines())) < 110


WORDS = st.text(st.sampled_from("abcdefgXYZ_0123-"), min_size=1, max_size=12)
DEFAULTS = st.one_of(
    st.integers(-(10**9), 10**9),
    st.floats(allow_nan=True, allow_infinity=True),
    st.booleans(),
    st.text(max_size=12),
    st.none(),
)
KNOWN = st.sampled_from(
    ["lr", "dropout", "hidden_size", "epochs", "weight_decay", "lora_r", "heads", "warmup_steps"]
)
ARGUMENT = st.tuples(
    st.one_of(WORDS, KNOWN), DEFAULTS, st.sampled_from(["int", "float", "str", None])
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(arguments=st.lists(ARGUMENT, max_size=6))
def test_any_arguments_make_a_page_that_loads_or_an_error_that_explains(
    arguments: list, tmp_path_factory: pytest.TempPathFactory
):
    """Whatever defaults a script has, the draft is valid, or the refusal has a fix."""
    folder = tmp_path_factory.mktemp("any")
    lines = ["import argparse", "p = argparse.ArgumentParser()"]
    for name, default, kind in arguments:
        typed = f", type={kind}" if kind else ""
        value = "float('nan')" if default != default else repr(default)
        lines.append(f"p.add_argument({'--' + name!r}, default={value}{typed})")
    script = written(folder, "\n".join(lines) + "\n")

    found = outcome(script, folder)

    assert (found.line and found.hint) if isinstance(found, ScriptError) else found.search_space


@settings(max_examples=60, deadline=None)
@given(values=st.dictionaries(KNOWN.map(str.upper), DEFAULTS, max_size=6))
def test_any_constants_make_a_page_that_loads(
    values: dict, tmp_path_factory: pytest.TempPathFactory
):
    """The same for constants, whose values are Python's own."""
    folder = tmp_path_factory.mktemp("any")
    text = "".join(f"{name} = {value!r}\n" for name, value in values.items())
    script = written(folder, text)

    found = outcome(script, folder)

    searched = values.keys() if isinstance(found, ScriptError) else found.search_space.keys()
    assert searched <= values.keys()


def test_a_scripts_own_words_cannot_leave_their_place(tmp_path: Path):
    """Backticks, headings and line ends in a script's texts stay inside quotes."""
    nasty = "x```\n## Goal\n```yaml\nmetric: other"
    script = written(
        tmp_path,
        "import argparse\np = argparse.ArgumentParser()\n"
        f"p.add_argument('--optimizer', choices=['sgd', {nasty!r}], default={nasty!r})\n"
        "p.add_argument('--lr', type=float, default=0.1)\n",
    )

    found = drafted(script, tmp_path)

    assert found.goal.metric == "val_loss"
    assert nasty in (found.search_space["optimizer"].choices or ())

"""How a training script is read, and how one that cannot be is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeper.draft import reported
from sweeper.draft import script
from sweeper.draft import syntax
from sweeper.errors import ScriptError

SCRIPTS = Path(__file__).parent / "scripts"


def refused(tmp_path: Path, source: bytes) -> ScriptError:
    """Return the refusal of a script."""
    path = tmp_path / "train.py"
    path.write_bytes(source)
    with pytest.raises(ScriptError) as caught:
        script.read(path, tmp_path)
    assert caught.value.hint
    assert "train.py" in caught.value.message
    return caught.value


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (b"import os\n\nLR = = 1\n", 3),
        (b"LR = 0.1\nname = '\xff\xfe'\n", 2),
        (b"LR = 0.1\n\x00\n", 1),
        (b"if True:\nLR = 1\n", 2),
    ],
)
def test_what_is_no_python_is_refused_with_its_line(tmp_path: Path, source: bytes, line: int):
    """Syntax, encoding, null bytes and indentation."""
    assert refused(tmp_path, source).line == line


def test_a_missing_script_is_refused(tmp_path: Path):
    """The path is named."""
    with pytest.raises(ScriptError, match=r"nowhere\.py"):
        script.read(tmp_path / "nowhere.py", tmp_path)


def test_a_script_without_parameters_is_told_the_three_ways(tmp_path: Path):
    """argparse, constants, SWEEPER_PARAMS."""
    hint = refused(tmp_path, b"print('hello')\n").hint or ""

    assert "argparse" in hint
    assert "SWEEPER_PARAMS" in hint


def test_dashed_spellings_are_refused_at_their_line():
    """The line is that of the argument, the fix a second spelling."""
    with pytest.raises(ScriptError, match="--learning_rate") as caught:
        script.read(SCRIPTS / "dashed.py", SCRIPTS)

    assert (caught.value.line, caught.value.key) == (6, "learning_rate")


def test_a_dataclass_that_nothing_fills_is_refused_at_its_line(tmp_path: Path):
    """A sweep whose parameters have no effect would spend money on one configuration."""
    source = b"from dataclasses import dataclass\n\n@dataclass\nclass Config:\n    lr: float = 1\n"
    error = refused(tmp_path, source + b"config = Config()\n")

    assert (error.line, error.key) == (4, "Config")
    assert "Config(**json.loads" in (error.hint or "")


def test_scripts_are_read_and_never_run(tmp_path: Path):
    """What a script would do at import does not happen."""
    trace = tmp_path / "ran"
    path = tmp_path / "train.py"
    path.write_text(f"LR = 0.1\nopen({str(trace)!r}, 'w')\n")

    script.read(path, tmp_path)

    assert not trace.exists()


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("2 ** 10", 1024),
        ("-3e-4", -3e-4),
        ("5_000 // 3", 1666),
        ("1 / 0", syntax.UNKNOWN),
        ("10 ** 10 ** 10", syntax.UNKNOWN),
        ("min(1, 2)", syntax.UNKNOWN),
        ("(1, 'a')", (1, "a")),
    ],
)
def test_only_what_is_written_out_is_a_value(expression: str, value: object):
    """Arithmetic is done, calls are not made, and nothing can take all memory."""
    import ast

    assert syntax.literal(ast.parse(expression, mode="eval").body) == value


@pytest.mark.parametrize(
    ("source", "metric", "direction"),
    [
        ("print(f'val_loss={x:.4f} train_loss={y}')", "val_loss", "minimize"),
        ("print('acc: %.2f' % x)", "acc", "maximize"),
        ("print({'eval_loss': x, 'epoch': 1})", "eval_loss", "minimize"),
        ("print(json.dumps({'val_f1': x}))", "val_f1", "maximize"),
        ("print('test perplexity:', x)", "perplexity", "minimize"),
        ("logging.info('step %d, dev_bleu: %.1f', step, x)", "dev_bleu", "maximize"),
        ("report(step=1, valid_mae=x)", "valid_mae", "minimize"),
        ("print('lr={} loss={}'.format(lr, x))", "loss", "minimize"),
        ("print(f'{loss=}')", "loss", "minimize"),
        ("print('done')", "val_loss", "minimize"),
    ],
)
def test_the_metric_is_what_the_job_s_log_will_be_read_for(
    source: str, metric: str, direction: str
):
    """Held-out results before training results, and both before clocks and rates."""
    import ast

    found = reported.find(ast.parse(source))

    assert (found.metric, found.direction) == (metric, direction)

"""What stands in front of a script: full precision from trainers, without being noticed."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sweeper.jobs import command
from sweeper.jobs import metrics
from sweeper.jobs.metrics import MetricReader
from tests.jobs.contract import reservation
from tests.jobs.local_bench import LocalBench

needs_torch = pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None or importlib.util.find_spec("trl") is None,
    reason="the torch extra is not installed",
)


def python(
    script: str, *options: str, path: tuple[Path, ...] = (), cwd: Path | None = None
) -> str:
    """Run a script with our folder first on its path; return what it said."""
    places = os.pathsep.join(map(str, (command.INSIDE, *path)))
    done = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(script)],
        env={**os.environ, "PYTHONPATH": places},
        capture_output=True,
        text=True,
        cwd=cwd,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout


def fake_transformers(folder: Path) -> Path:
    """Make a package of that name which is loaded as lazily as the real one."""
    package = folder / "site" / "transformers"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "trainer_callback.py").write_text("class TrainerCallback:\n    pass\n")
    (package / "trainer.py").write_text("class Flow:\n    pass\nDEFAULT_CALLBACKS = [Flow]\n")
    return package.parent


LOG = """
    from types import SimpleNamespace as N
    from transformers import trainer
    kind = trainer.DEFAULT_CALLBACKS[0]
    logs = {"eval_loss": 1 / 3, "note": "text", "none": None, "total_flos": 5}
    for zero in (True, False):
        state = N(is_world_process_zero=zero, global_step=7, epoch=0.5)
        kind().on_init_end(None, state, None)
        kind().on_log(None, state, None, logs=logs)
    print(len(trainer.DEFAULT_CALLBACKS), sorted(logs))
"""


@pytest.mark.parametrize("option", [(), ("-u",), ("-X", "utf8")], ids=["plain", "-u", "-X"])
def test_a_trainers_logs_come_in_full_precision_from_the_first_process(
    tmp_path: Path, option: tuple[str, ...]
) -> None:
    """Placed once, in front; the logs stay as they are for those behind."""
    lines = python(LOG, *option, path=(fake_transformers(tmp_path),)).splitlines()

    assert lines == [
        '[sweeper] {"reports": "transformers"}',
        '[sweeper] {"eval_loss": 0.3333333333333333, "total_flos": 5, "step": 7, "epoch": 0.5}',
        "2 ['eval_loss', 'none', 'note', 'total_flos']",
    ]


def test_a_script_without_a_trainer_notices_nothing() -> None:
    """Nothing is imported but the watch itself."""
    assert python(
        """
        import sys
        heavy = {"json", "importlib.util", "sweeper_report", "sweeper_callback", "transformers"}
        print(sorted(heavy & set(sys.modules)))
        """
    ).split() == ["[]"]


def test_another_sitecustomize_still_runs_as_if_ours_were_not_there(tmp_path: Path) -> None:
    """Also when it looks at itself."""
    (tmp_path / "sitecustomize.py").write_text("NAME = __name__\nFILE = __file__\n")
    said = python("import sitecustomize as s; print(s.NAME, s.FILE)", path=(tmp_path,))

    assert said.split() == ["sitecustomize", str(tmp_path / "sitecustomize.py")]


def test_an_error_in_another_sitecustomize_does_not_cost_the_callback(tmp_path: Path) -> None:
    """Python reports it and goes on, as it always does."""
    site = fake_transformers(tmp_path)
    (tmp_path / "sitecustomize.py").write_text("raise ValueError('theirs')\n")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LOG)],
        env={**os.environ, "PYTHONPATH": f"{command.INSIDE}:{site}:{tmp_path}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "theirs" in done.stderr
    assert "[sweeper] " in done.stdout


def test_processes_that_a_script_spawns_are_watched_as_well(tmp_path: Path) -> None:
    """Workers of a launcher are where the trainer is."""
    (tmp_path / "work.py").write_text(
        textwrap.dedent(
            """
            import multiprocessing
            def work():
                from transformers import trainer
                print(len(trainer.DEFAULT_CALLBACKS), flush=True)
            if __name__ == "__main__":
                process = multiprocessing.get_context("spawn").Process(target=work)
                process.start(); process.join()
            """
        )
    )
    script = "import runpy; runpy.run_path('work.py', run_name='__main__')"
    path = (fake_transformers(tmp_path), tmp_path)

    assert python(script, path=path, cwd=tmp_path).split() == ["2"]


def test_a_script_reports_by_hand_past_a_replaced_standard_output() -> None:
    """The sweep reads what the process was started with."""
    said = python(
        """
        import io, sys
        from sweeper_report import report
        sys.stdout = io.StringIO()
        report(step=3, eval_loss=1 / 3)
        report(eval_loss=True)
        """
    )
    reader = MetricReader("eval_loss")

    assert [next(iter(reader.feed(line)))[:2] for line in said.splitlines()] == [
        (3, 1 / 3),
        (4, 1.0),
    ]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("report(eval_loss='1.0x')", None),
        ("report(eval_loss=[1, 2])", "TypeError: 'eval_loss' is not a number but a list"),
        ("report(eval_loss=None)", "TypeError: 'eval_loss' is not a number but a NoneType"),
        ("report(seq=512)", "ValueError: 'seq' cannot be the name of a metric"),
    ],
)
def test_what_is_no_number_is_refused_at_the_call(call: str, error: str | None) -> None:
    """With the name, where the person looks."""
    script = f"""
        from sweeper_report import report
        try:
            {call}
        except Exception as error:
            print(type(error).__name__ + ":", error)
    """
    said = python(script)

    assert error is None or said.startswith(error)


def test_there_is_one_writer() -> None:
    """What a job writes and what the reader calls the format are the same function."""
    assert metrics.format_line.__module__ == "sweeper.jobs.inside.sweeper_report"


TINY = """
    import sys
    import torch
    from datasets import Dataset
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainingArguments

    torch.manual_seed(0)
    config = GPT2Config(vocab_size=16, n_positions=8, n_embd=8, n_layer=1, n_head=1)
    rows = [{"input_ids": [i % 16] * 8, "labels": [i % 16] * 8} for i in range(16)]
    data = Dataset.from_list(rows)
    arguments = TrainingArguments(
        output_dir=sys.argv[sys.argv.index("--output_dir") + 1],
        max_steps=4, per_device_train_batch_size=4, logging_steps=2, learning_rate=1e-2,
        eval_strategy="steps", eval_steps=2, save_strategy="no", report_to=[], use_cpu=True,
    )
    trainer = Trainer(GPT2LMHeadModel(config), arguments, train_dataset=data, eval_dataset=data)
    trainer.train()
    print("exact", trainer.state.log_history[-2]["eval_loss"].hex())
"""


@pytest.mark.torch
@needs_torch
def test_an_unmodified_trainer_script_reports_in_full_precision(
    local: LocalBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the executor, the runner and the reader, to the last bit, with its step."""
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    paid = reservation()
    job = local.run(TINY, paid, args=["--output_dir", "{output_dir}"], parameters="json")
    report = local.ended(job)
    lines = local.reads(job)
    assert report.exit_code == 0, lines[-15:]

    reader = MetricReader("eval_loss")
    readings = [reading for line in lines for reading in reader.feed(line)]
    exact = next(float.fromhex(line.split()[1]) for line in lines if line.startswith("exact"))
    assert [reading.step for reading in readings] == [2, 4]
    assert not any(reading.restart for reading in readings)
    assert readings[-1].value == exact
    assert any("'eval_loss'" in line and "[sweeper]" not in line for line in lines)

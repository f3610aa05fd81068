"""What a sweep needs is said before it is missed."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeper.doctor import check_program
from sweeper.doctor import examine
from sweeper.errors import NotApprovedError
from sweeper.errors import RefusedError
from sweeper.errors import ScriptError
from sweeper.program import load
from tests.doubles.hub.fixtures import loopback
from tests.sweep.sweeps import make_sweep


def hub_page(folder: Path, training: str = "", timeout: str = "2m", cost: str = "5") -> None:
    make_sweep(
        folder,
        training=training,
        max_timeout=timeout,
        budget=f"allowed_flavors: [t4-small]\nmax_cost: {cost}",
    )
    page = folder / "program.md"
    page.write_text(
        page.read_text().replace("## Goal", "## Sweep\n```yaml\nexecutor: hf\n```\n## Goal")
    )


def test_a_missing_script_names_its_line(tmp_path: Path) -> None:
    make_sweep(tmp_path)
    (tmp_path / "train.py").unlink()

    with pytest.raises(ScriptError) as refused:
        check_program(load(tmp_path))

    lines = (tmp_path / "program.md").read_text().splitlines()
    assert refused.value.line is not None
    assert lines[refused.value.line - 1] == "script: train.py"


def test_a_script_that_is_not_python_is_refused(tmp_path: Path) -> None:
    make_sweep(tmp_path, script="def train(:\n")

    with pytest.raises(ScriptError, match=r"train\.py is not Python"):
        check_program(load(tmp_path))


def test_an_envelope_that_cannot_pay_for_one_job_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_page(tmp_path / "s", cost="0.001")
    with loopback(monkeypatch, tmp_path), pytest.raises(NotApprovedError, match="one job"):
        check_program(load(tmp_path / "s"))


def test_what_would_fail_after_it_was_paid_for_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A training that pushes without the token among its secrets."""
    hub_page(tmp_path / "s", training="args: [--push_to_hub]")
    with loopback(monkeypatch, tmp_path), pytest.raises(RefusedError, match="token"):
        check_program(load(tmp_path / "s"))


def test_a_page_that_can_run_on_the_hub_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub_page(tmp_path / "s", training="resource: {name: step, max: 3}")
    with loopback(monkeypatch, tmp_path):
        assert check_program(load(tmp_path / "s")) == []


def test_every_finding_is_a_sentence_with_a_state(tmp_path: Path) -> None:
    make_sweep(tmp_path)
    (tmp_path / "program.md").write_text("nothing")

    found = {each.subject: each for each in examine(tmp_path)}

    assert found["optuna"].state == "ok"
    assert found["program.md"].state == "wrong"
    assert all(each.sentence and each.mark for each in found.values())

"""Where a drafted page is put."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeper import program
from sweeper.draft.page import write_draft
from sweeper.errors import ProgramError
from sweeper.errors import ScriptError

TRAIN = "LR = 0.1\nprint(f'val_loss={LR}')\n"


def test_a_draft_lies_in_the_folder_and_loads(tmp_path: Path):
    """The only script is found by itself."""
    (tmp_path / "fit.py").write_text(TRAIN)

    page = write_draft(tmp_path, None)

    assert page == tmp_path / "program.md"
    assert program.load(tmp_path).training.script == "fit.py"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fit.py", "program.md"]


def test_a_script_in_a_folder_below_keeps_its_path(tmp_path: Path):
    """Paths on the page are relative to the page."""
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "train.py").write_text("import net\n" + TRAIN)
    (tmp_path / "src" / "net.py").write_text("")

    write_draft(tmp_path, Path("src/train.py"))

    training = program.load(tmp_path).training
    assert (training.script, training.files) == ("src/train.py", ["src/net.py"])


def test_a_page_that_is_there_is_kept(tmp_path: Path):
    """Only `overwrite` replaces somebody's page."""
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "program.md").write_text("mine")

    with pytest.raises(ProgramError, match="already") as caught:
        write_draft(tmp_path, None)

    assert "--force" in (caught.value.hint or "")
    assert (tmp_path / "program.md").read_text() == "mine"
    write_draft(tmp_path, None, overwrite=True)
    assert program.load(tmp_path).goal.metric == "val_loss"


def test_a_refused_script_leaves_the_old_page(tmp_path: Path):
    """Nothing is half written."""
    (tmp_path / "train.py").write_text("def (")
    (tmp_path / "program.md").write_text("mine")

    with pytest.raises(ScriptError):
        write_draft(tmp_path, None, overwrite=True)

    assert sorted(path.name for path in tmp_path.iterdir()) == ["program.md", "train.py"]
    assert (tmp_path / "program.md").read_text() == "mine"


@pytest.mark.parametrize("names", [[], ["a.py", "b.py"]])
def test_it_asks_when_the_script_is_not_clear(tmp_path: Path, names: list[str]):
    """None or several: the names are listed and the option is shown."""
    for name in names:
        (tmp_path / name).write_text(TRAIN)

    with pytest.raises(ScriptError, match=", ".join(names) or "none") as caught:
        write_draft(tmp_path, None)

    assert "--script" in (caught.value.hint or "")


def test_train_py_is_taken_among_several(tmp_path: Path):
    """The usual name decides."""
    for name in ("a.py", "train.py", "z.py"):
        (tmp_path / name).write_text(TRAIN)

    write_draft(tmp_path, None)

    assert program.load(tmp_path).training.script == "train.py"


def test_a_script_outside_the_folder_is_refused(tmp_path: Path):
    """Files travel with the page's folder."""
    (tmp_path / "train.py").write_text(TRAIN)
    (tmp_path / "sweep").mkdir()

    with pytest.raises(ScriptError, match="outside"):
        write_draft(tmp_path / "sweep", tmp_path / "train.py")


def test_a_missing_script_or_folder_is_named(tmp_path: Path):
    """The refusal says which."""
    with pytest.raises(ScriptError, match=r"gone\.py"):
        write_draft(tmp_path, Path("gone.py"))
    with pytest.raises(ProgramError, match="nofolder"):
        write_draft(tmp_path / "nofolder", None)

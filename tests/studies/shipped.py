"""The studies that are shipped, where the tests find them."""

from __future__ import annotations

import shutil
from pathlib import Path

STUDIES = Path(__file__).parents[2] / "studies"


def copied(name: str, folder: Path) -> Path:
    """Return a copy of a study's folder, to be changed and run in."""
    target = folder / name
    shutil.copytree(STUDIES / name, target, ignore=shutil.ignore_patterns("runs", "__pycache__"))
    return target


def changed(page: Path, **replaced: str) -> None:
    """Replace texts in a page, each of which must be there exactly once."""
    text = page.read_text(encoding="utf-8")
    for old, new in replaced.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    page.write_text(text, encoding="utf-8")

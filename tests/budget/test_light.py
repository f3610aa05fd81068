"""The ground stays light: a hook imports it on every shell command."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GROUND = ["envelope", "prices", "rules"]
HEAVY = {"dataclasses", "typing", "pathlib", "json", "re", "decimal", "enum", "collections"}


def test_it_imports_nothing_heavy() -> None:
    """Without site packages, in isolated mode."""
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); before = set(sys.modules)\n"
        "from sweeper.budget import prices, rules\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True
    )
    loaded = set(told.stdout.split())
    assert {"sweeper.budget.prices", "sweeper.budget.rules"} <= loaded
    assert not loaded & HEAVY
    assert {name for name in loaded if not name.startswith("sweeper")} <= {"__future__"}


@pytest.mark.parametrize("name", GROUND)
def test_it_is_written_for_python_3_9(name: str) -> None:
    """A plugin meets old interpreters."""
    source = (ROOT / "sweeper" / "budget" / f"{name}.py").read_text()
    ast.parse(source, feature_version=(3, 9))
    assert "from __future__ import annotations" in source

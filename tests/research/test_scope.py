"""Writes to the Hub stay within what a person allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.research.repos import scope
from sweeper.state.approval import Approval
from sweeper.state.approval import Covers
from sweeper.state.approval import write_projection
from tests.doubles.services import repositories
from tests.research.conftest import Caller
from tests.research.conftest import Done
from tests.research.conftest import World

PROGRAM = """# Sweep

## Goal
```yaml
metric: loss
direction: minimize
```
## Scope
```yaml
output_repos: ["me/sweep-*", me/x]
```
## Training
```yaml
script: train.py
```
## Search space
```yaml
lr: {{low: 1e-6, high: 1e-3, log: true}}
```
## Budget envelope
```yaml
max_jobs: 2
max_walltime: 1h
max_timeout: 10m
allow_deletes: {deletes}
```
"""


def _page(*, deletes: bool = False) -> Path:
    Path("program.md").write_text(PROGRAM.format(deletes=str(deletes).lower()))
    return Path("program.md")


def _refused(done: Done, world: World) -> str:
    """Expect a refusal before anything was sent, and return its sentence."""
    assert done.code == 1
    assert world.hub.log == []
    return done.err


def test_a_write_without_a_program_needs_a_persons_yes(
    call: Caller, world: World, repo: repositories.Repository
) -> None:
    """Without a program.md the call is refused with the words that a person is asked."""
    said = _refused(call("hf_repo", "branch", "create", "me/x", "dev"), world)

    assert "create the branch dev of me/x" in said
    assert "--yes" in said


def test_a_write_inside_the_scope_needs_no_yes(
    call: Caller, repo: repositories.Repository
) -> None:
    """output_repos of the program.md in the current folder, or named, is enough."""
    page = _page()
    assert call("hf_repo", "branch", "create", "me/x", "dev").code == 0

    elsewhere = Path("elsewhere")
    elsewhere.mkdir()
    page.rename(elsewhere / "program.md")
    assert call("hf_repo", "branch", "create", "me/x", "dev2", "--program", "elsewhere").code == 0


@pytest.mark.parametrize("words", [
    ("branch", "create", "other/y", "dev"),
    ("branch", "create", "me/sweep-1/x", "dev"),
    ("files", "upload", "me/xx", "program.md"),
    ("repo", "create", "me/new"),
    ("repo", "update", "other/y", "--visibility", "public"),
    ("pr", "create", "other/y", "--title", "t"),
    ("pr", "comment", "other/y", "1", "hello"),
    ("pr", "merge", "other/y", "1"),
    ("tag", "create", "other/y", "v1"),
])  # fmt: skip
def test_a_write_outside_the_scope_is_refused_even_with_a_yes(
    words: tuple[str, ...], call: Caller, world: World, repo: repositories.Repository
) -> None:
    """What a program.md does not name, no option allows; nothing is sent."""
    _page(deletes=True)

    for extra in ((), ("--yes",)):
        done = call("hf_repo", *words, *extra)
        assert done.code in (1, 2)
        assert world.hub.log == []


@pytest.mark.parametrize("words", [
    ("files", "delete", "me/x", "b.txt"), ("branch", "delete", "me/x", "old"),
    ("tag", "delete", "me/x", "v1"),
])  # fmt: skip
def test_deletes_need_to_be_allowed(
    words: tuple[str, ...], call: Caller, world: World, repo: repositories.Repository
) -> None:
    """allow_deletes: false refuses every delete inside the scope, true permits it."""
    repo.tags["v1"] = "0" * 40
    _page()
    done = call("hf_repo", *words, "--json")
    assert "does not allow deletes" in _refused(done, world)
    assert done.document["error"]["key"] == "allow_deletes"

    _page(deletes=True)
    assert call("hf_repo", *words).code == 0


def test_a_page_that_was_widened_after_its_approval_widens_nothing(
    call: Caller, world: World, repo: repositories.Repository
) -> None:
    """Where an approval stands, it must cover the write too."""
    _page(deletes=True)
    covers = Covers({"allow_deletes": False}, {"output_repos": ["me/sweep-*"]}, "local")
    write_projection(Path("runs/approval.json"), "uid", Approval(1, covers, 0.0, "me"))

    said = _refused(call("hf_repo", "branch", "create", "me/x", "dev"), world)
    assert "the approval of" in said
    assert "sweeper approve" in said

    covers = Covers({"allow_deletes": False}, {"output_repos": ["me/*"]}, "local")
    write_projection(Path("runs/approval.json"), "uid", Approval(2, covers, 0.0, "me"))
    assert call("hf_repo", "branch", "create", "me/x", "dev").code == 0
    assert call("hf_repo", "branch", "delete", "me/x", "old").code == 1


@pytest.mark.parametrize("text", ["# no blocks", "## Goal\n```yaml\nmetric: 1\n"])
def test_a_program_that_cannot_be_read_allows_nothing(
    text: str, call: Caller, world: World, repo: repositories.Repository
) -> None:
    """A broken program.md refuses, also with a yes; so does a broken approval."""
    Path("program.md").write_text(text)
    _refused(call("hf_repo", "branch", "create", "me/x", "dev", "--yes"), world)

    _page()
    Path("runs").mkdir()
    Path("runs/approval.json").write_text("{}")
    _refused(call("hf_repo", "branch", "create", "me/x", "dev"), world)


def test_a_write_without_a_login_is_refused_here(call: Caller, world: World) -> None:
    """Nothing is sent that would be refused there."""
    assert "hf auth login" in _refused(
        call("hf_repo", "branch", "create", "me/x", "dev", "--yes"), world
    )


@pytest.mark.parametrize(
    ("repo", "pattern", "covered"),
    [
        ("me/sweep-1", "me/sweep-*", True),
        ("me/sweep-1", "me/*", True),
        ("me/x", "me/x", True),
        ("me/sweep-a/b", "me/sweep-*", False),
        ("you/sweep-1", "me/sweep-*", False),
        ("xme/sweep-1", "me/sweep-*", False),
        ("me/x", "*", False),
        ("me/xy", "me/x", False),
        ("me/axb", "me/a.b", False),
    ],
)
def test_a_pattern_covers_what_its_stars_stand_for(repo: str, pattern: str, covered: bool) -> None:
    """A star never crosses a slash, and nothing else is a pattern."""
    assert scope.matches(repo, pattern) == covered


@given(st.from_regex(r"[a-z.-]{1,8}/[a-z.-]{1,8}", fullmatch=True))
def test_a_name_covers_itself_only(name: str) -> None:
    """Names with dots and dashes are no patterns."""
    assert scope.matches(name, name)
    assert not scope.matches(f"{name}x", name)
    assert not scope.matches(name.replace("/", "//"), name)

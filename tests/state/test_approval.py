from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.budget import rules
from sweeper.errors import StateError
from sweeper.state import approval
from sweeper.state import studies
from sweeper.state.approval import Approval
from sweeper.state.approval import Covers
from sweeper.state.database import Database
from tests.state import facts
from tests.state.facts import NOW
from tests.state.facts import UID

SCOPE = {
    "models": ["Qwen/Qwen2-0.5B"],
    "datasets": ["trl-lib/Capybara"],
    "output_repos": ["me/sweep-*"],
}
FULL: dict[str, Any] = {
    "scope": SCOPE,
    "executor": "hf",
    "namespace": "my-org",
    "image": "python:3.12",
    "secrets": ["HF_TOKEN", "WANDB_API_KEY"],
    "script_sha256": "a" * 64,
    "frozen_script": True,
}


def _gaps(old: Covers, new: Covers) -> list[str]:
    return approval.uncovered(Approval(1, old, NOW, "ada"), new)


def test_the_newest_approval_is_in_force(database: Database) -> None:
    """Versions count up from one; a study that nobody approved has none."""
    facts.study(database)
    assert approval.current(database, UID) is None
    assert facts.approve(database, max_jobs=5) == 1
    assert facts.approve(database, max_jobs=7) == 2
    found = approval.current(database, UID)
    assert found is not None
    assert (found.version, found.covers.envelope["max_jobs"]) == (2, 7)
    assert found == Approval(2, facts.covers(envelope=facts.envelope(max_jobs=7)), NOW, "ada")


def test_two_people_who_approve_at_once_make_two_versions(database: Database) -> None:
    """Neither of the two yeses is lost, and neither fails."""
    facts.study(database)
    threads = [threading.Thread(target=facts.approve, args=(database,)) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = approval.current(database, UID)
    assert found is not None
    assert found.version == 6


def test_without_an_approval_nothing_is_covered() -> None:
    """And it is said in so many words."""
    assert approval.uncovered(None, facts.covers()) == ["nothing is approved yet"]


def test_what_was_approved_is_covered() -> None:
    """To the letter, with every key set."""
    assert _gaps(facts.covers(**FULL), facts.covers(**FULL)) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"envelope": facts.envelope(max_jobs=12)}, "max_jobs rises from 10 to 12"),
        ({"scope": {**SCOPE, "models": ["x/y"]}}, "models gains x/y"),
        ({"scope": {**SCOPE, "output_repos": ["me/*"]}}, "output_repos gains me/*"),
        ({"scope": {**SCOPE, "output_repos": ["you/sweep-1"]}}, "output_repos gains you/sweep-1"),
        ({"executor": "local"}, "executor goes from hf to local"),
        ({"namespace": None}, "namespace goes from my-org to none"),
        ({"resource_group": "team"}, "resource_group goes from none to team"),
        ({"image": "evil:latest"}, "image goes from python:3.12 to evil:latest"),
        ({"secrets": ["HF_TOKEN", "AWS_KEY"]}, "secrets gains AWS_KEY"),
        ({"script_sha256": "b" * 64}, "the script is not the approved one"),
        ({"frozen_script": False}, "frozen_script goes from true to false"),
    ],
)
def test_each_thing_that_widens_is_one_sentence(change: dict[str, Any], sentence: str) -> None:
    """Nothing but a person's yes makes it go away."""
    assert _gaps(facts.covers(**FULL), facts.covers(**{**FULL, **change})) == [sentence]


@pytest.mark.parametrize(
    "change",
    [
        {"envelope": facts.envelope(max_jobs=3, max_timeout_s=60.0)},
        {"scope": {**SCOPE, "models": []}},
        {"scope": {}},
        {"scope": {**SCOPE, "output_repos": ["me/sweep-digits"]}},
        {"scope": {**SCOPE, "output_repos": ["me/sweep-a-*", "me/sweep-*-b"]}},
        {"secrets": ["HF_TOKEN"]},
        {"executor": "dry"},
    ],
)
def test_what_narrows_needs_nobody(change: dict[str, Any]) -> None:
    """A dry run spends nothing, so that it counts as narrower."""
    assert _gaps(facts.covers(**FULL), facts.covers(**{**FULL, **change})) == []


def test_a_script_that_was_not_frozen_may_change() -> None:
    """It is noted elsewhere; the approval does not mind."""
    loose = {**FULL, "frozen_script": False}
    assert _gaps(facts.covers(**loose), facts.covers(**{**loose, "script_sha256": "b" * 64})) == []


@given(
    pattern=st.text("ab*/.", max_size=8),
    name=st.text("ab*/.", max_size=8),
    filler=st.text("ab.", max_size=3),
)
def test_a_covered_pattern_stands_for_nothing_that_its_cover_does_not(
    pattern: str, name: str, filler: str
) -> None:
    """Whatever a star of the narrower pattern becomes, the wider one covers it too."""
    wide = facts.covers(scope={"output_repos": [pattern]})
    if _gaps(wide, facts.covers(scope={"output_repos": [name]})) == []:
        meant = name.replace("*", filler)
        assert _gaps(wide, facts.covers(scope={"output_repos": [meant]})) == []


def test_the_projection_says_what_the_row_says(database: Database, tmp_path: Path) -> None:
    """Written and read back it is equal, and it names its study."""
    facts.study(database)
    approval.record(database, UID, facts.covers(**FULL), "ada", NOW)
    row = approval.current(database, UID)
    assert row is not None
    path = tmp_path / "runs" / "approval.json"
    approval.write_projection(path, UID, row)
    seen = approval.read_projection(path)
    assert seen == approval.Projection(UID, row)
    assert json.loads(path.read_text())["covers"]["envelope"]["max_jobs"] == 10
    assert [each.name for each in path.parent.iterdir()] == ["approval.json"] or (
        tmp_path / "runs" / "sweep.db"
    ).exists()


def test_no_projection_is_no_error(tmp_path: Path) -> None:
    """A new folder has none."""
    assert approval.read_projection(tmp_path / "approval.json") is None


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"uid": "x"}', '{"uid": 1, "covers": {"oops": 1}}', "\udcff"]
)
def test_a_damaged_projection_is_refused_with_the_way_out(tmp_path: Path, text: str) -> None:
    """Never read as no approval, never a traceback."""
    path = tmp_path / "approval.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(StateError, match=r"approval\.json") as caught:
        approval.read_projection(path)
    assert "sweeper run" in str(caught.value.hint)


def test_deleting_the_database_does_not_reset_what_was_spent(
    database: Database, tmp_path: Path
) -> None:
    """A fresh database does not know the uid that the folder's approval names."""
    path = tmp_path / "approval.json"
    approval.write_projection(path, "0ddba11e", Approval(1, facts.covers(), NOW, "ada"))
    seen = approval.read_projection(path)
    assert seen is not None
    known = studies.by_uid(database, seen.uid)
    with pytest.raises(StateError, match=r"study 0ddba11e.*does not hold") as caught:
        approval.refuse_reset(seen, known.uid if known else None)
    assert "Put the database back" in str(caught.value.hint)


def test_a_folder_and_its_own_database_agree() -> None:
    """So does a folder that was never approved."""
    mine = approval.Projection(UID, Approval(1, facts.covers(), NOW, "ada"))
    approval.refuse_reset(mine, UID)
    approval.refuse_reset(None, None)
    with pytest.raises(StateError):
        approval.refuse_reset(mine, "another1")


def test_the_envelope_survives_the_row(database: Database) -> None:
    """What the rules get is what the person saw, to the micro-dollar."""
    facts.study(database)
    limits = facts.envelope(max_micro_usd=25_000_001, allowed_flavors=("t4-small",))
    approval.record(database, UID, facts.covers(envelope=limits), "ada", NOW)
    with database.read() as connection:
        assert approval.envelope_in_force(connection, UID, "local") == limits
    assert isinstance(limits, rules.Envelope)

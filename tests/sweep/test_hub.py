"""A whole sweep as Hugging Face Jobs, on a loopback Hub through the real client."""

from __future__ import annotations

from pathlib import Path

import pytest

from sweeper.summary import document
from sweeper.summary import snapshot
from sweeper.sweep.approving import Asked
from sweeper.sweep.conductor import Options
from sweeper.sweep.running import conducting
from tests.doubles.hub.fixtures import loopback
from tests.sweep.sweeps import SCRIPT
from tests.sweep.sweeps import make_sweep

# Inside a job there is no folder that outlives it.
HUB_SCRIPT = SCRIPT.replace(
    'with open("ran.txt", "a") as ran:', 'with open(os.devnull, "a") as ran:'
)


def test_a_sweep_runs_as_jobs_and_books_started_minutes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = make_sweep(
        tmp_path / "s",
        script=HUB_SCRIPT,
        max_jobs=2,
        max_timeout="2m",
        budget="allowed_flavors: [t4-small]\nmax_cost: 1",
    )
    page = sweep.folder / "program.md"
    page.write_text(
        page.read_text().replace("## Goal", "## Sweep\n```yaml\nexecutor: hf\n```\n## Goal")
    )
    monkeypatch.setenv("SWEEPER_POLL_S", "0.5")
    with loopback(monkeypatch, tmp_path) as hub:
        Asked(sweep.program(), None).approve()
        with conducting(sweep.program(), None, Options()) as (_, conductor):
            list(conductor.run())
        assert len(hub.jobs.all) == 2

    shown = document.status(snapshot.read(sweep.folder))
    assert (conductor.state, (conductor.stop_reason or "").split(":")[0]) == ("finished", "jobs")
    assert [each["state"] for each in shown["trials"]] == ["complete", "complete"]
    price = 0.4 / 60
    for trial in shown["trials"]:
        (job,) = trial["jobs"]
        assert job["flavor"] == "t4-small"
        assert not job["estimated"]
        assert job["cost_usd"] == pytest.approx(price, abs=2e-6)  # one started minute
        assert len(snapshot.read(sweep.folder).trials[trial["number"]].curve) == 3

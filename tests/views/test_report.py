"""report.html is one page that needs nothing else, tells everything and is taken in by nobody."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import time
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from sweeper.summary.snapshot import read
from sweeper.views.report import document
from sweeper.views.report import landscape
from sweeper.views.report import money
from sweeper.views.report import plot
from sweeper.views.report import progress
from sweeper.views.report.importance import FEWEST_TRIALS
from sweeper.views.report.importance import importances
from sweeper.views.report.plot import NothingToShow
from tests.doubles.sweeps import NOW
from tests.doubles.sweeps import RecordedSweep
from tests.views.conftest import HOSTILE
from tests.views.conftest import curve


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the texts of its scripts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep it."""
        self.seen.append((tag, dict(attrs)))

    def named(self, tag: str) -> list[dict[str, str | None]]:
        """Return the attributes of all elements of a name."""
        return [attributes for name, attributes in self.seen if name == tag]


def page(sweep: RecordedSweep) -> str:
    """Return the page of a sweep."""
    return document.page(read(sweep.folder, now=NOW))


def charts(text: str) -> dict[str, Any]:
    """Return the charts of a page as its script finds them."""
    found = re.search(r'id="charts">(.*?)</script>', text)
    assert found is not None
    parsed: dict[str, Any] = json.loads(found[1])
    return parsed


@pytest.fixture
def many(sweep: RecordedSweep) -> RecordedSweep:
    """The sweep with enough complete trials to tell importances: the learning rate decides."""
    for number in range(28):
        rate = 10 ** (-5 + 4 * (number * 0.618 % 1))
        value = 0.1 + 0.03 * abs(math.log10(rate) + 2.5)
        sweep.trial(
            value=value,
            params={"learning_rate": rate, "optimizer": ("adam", "sgd")[number % 2]},
            curve=curve(value, 8),
        )
    return sweep


def test_the_page_fetches_nothing(sweep: RecordedSweep) -> None:
    """No element names an address but citations, and the policy forbids every connection."""
    found = Elements(page(sweep))
    for tag, attributes in found.seen:
        assert "src" not in attributes, tag
        if "href" in attributes:
            assert tag == "a"
    assert not found.named("link")
    (policy,) = [
        each["content"]
        for each in found.named("meta")
        if each.get("http-equiv") == "Content-Security-Policy"
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none'")
    assert "connect-src" not in policy


def test_every_chart_is_there(many: RecordedSweep) -> None:
    """All that is asked of the page is drawn, each in an element of its own."""
    text = page(many)
    names = {
        "staircase",
        "curves",
        "parallel",
        "importances",
        "slice-0",
        "spend",
        "price",
        "timeline",
    }
    assert names <= set(charts(text))
    ids = [each.get("id") for each in Elements(text).named("div")]
    assert set(charts(text)) <= set(ids)


def test_the_headline_tells_the_finding_and_its_uncertainty(sweep: RecordedSweep) -> None:
    """Best value, its noise, trial and gain over the default stand in one sentence."""
    lead = re.search(r"<p class=lead>(.*?)</p>", page(sweep))
    assert lead is not None
    said = re.sub(r"<[^>]+>", "", lead[1])
    assert said == (
        "Best: 0.2 ± 0.01 in trial 1, +0.1 over the default (0.3), 10.0 times the noise."
    )


def test_repeats_tell_the_spread(sweep: RecordedSweep) -> None:
    """Where the winner was repeated, what the runs gave replaces the noise floor."""
    sweep.trial(value=0.22, origin="repeat", repeat_of=1)
    assert "(2 runs: 0.2 to 0.22)" in page(sweep)


def test_hostile_texts_run_nowhere(sweep: RecordedSweep) -> None:
    """Names, reasons, sources, log lines and settings are texts, whatever they contain."""
    sweep.trial(
        value=0.1,
        params={"learning_rate": 0.01},
        curve=curve(0.1, 5),
        origin="proposal",
        why=HOSTILE,
        source=[HOSTILE, "javascript:alert(1)", 'https://x/"onmouseover="alert(1)'],
    )
    sweep.proposal("hostile", {"learning_rate": HOSTILE}, why=HOSTILE, source=[HOSTILE])
    for column in ("name", "metric", "stop_reason"):
        sweep.connection.execute(f"UPDATE sweeper_study SET {column} = ?", (HOSTILE,))
    sweep.connection.execute(
        "UPDATE sweeper_job SET failure = ? WHERE failure IS NOT NULL",
        (json.dumps({"cause": HOSTILE, "sentence": HOSTILE, "excerpt": [HOSTILE]}),),
    )
    text = page(sweep)
    assert "<script>alert" not in text
    found = Elements(text)
    assert len(found.named("script")) == 3
    for _, attributes in found.seen:
        assert not [name for name in attributes if name.startswith("on")]
    assert all(
        (each["href"] or "").startswith(("#trial-", "https://")) for each in found.named("a")
    )
    assert charts(text), "the data is still JSON"


def test_citations_link_to_papers_and_pages(sweep: RecordedSweep) -> None:
    """An arXiv id and an https address become links, anything else stays text."""
    sweep.trial(
        value=0.2, origin="proposal", source=["arXiv:2106.09685", "https://a.example/b", "a book"]
    )
    links = [each["href"] for each in Elements(page(sweep)).named("a")]
    assert "https://arxiv.org/abs/2106.09685" in links
    assert "https://a.example/b" in links
    assert "a book" in page(sweep)


def test_the_winner_is_told_as_its_difference_from_the_default(sweep: RecordedSweep) -> None:
    """Changed parameters with both values, and how to run it again."""
    text = page(sweep)
    section = text[text.index("The winner against the default") :]
    section = section[: section.index("</section>")]
    assert "<code>learning_rate</code></td><td>0.001</td><td><b>0.02</b>" in section
    assert "sweeper reproduce 1" in section


def test_a_failed_trial_shows_its_log_and_the_fix(sweep: RecordedSweep) -> None:
    """Cause, excerpt and proposed fix are on the page."""
    text = page(sweep)
    assert "torch.OutOfMemoryError" in text
    assert "Proposed fix: Halve batch_size." in text


def test_pruned_curves_are_dimmed_and_the_best_stands_out(sweep: RecordedSweep) -> None:
    """All curves are there; opacity and width say which matter."""
    figure = progress.curves(read(sweep.folder))
    by_name = {trace["name"]: trace for trace in figure.traces}
    assert by_name["pruned (1)"]["opacity"] < 0.5
    assert by_name["trial 1 (best)"]["line"]["width"] > by_name["trial 0"]["line"]["width"]
    assert figure.traces[-1]["name"] == "trial 1 (best)"
    assert by_name["running (1)"]["x"][-2] == 12


def test_the_staircase_is_labelled_with_what_changed(sweep: RecordedSweep) -> None:
    """Each real improvement names its trial, the change and whose idea it was."""
    figure = progress.staircase(read(sweep.folder))
    labels = [each["text"] for each in figure.layout["annotations"]]
    assert labels[0] == "#0 baseline"
    assert labels[1] == "#1 learning_rate 0.02 +2 (literature)"
    assert [trace["name"] for trace in figure.traces[-2:]] == ["literature", "model"]
    assert any(trace.get("fill") == "tonexty" for trace in figure.traces), "the noise band"


def test_importances_find_the_parameter_that_decides(many: RecordedSweep) -> None:
    """The learning rate made the values; it gets the largest share."""
    shares = importances(read(many.folder))
    assert max(shares, key=lambda name: shares[name]) == "learning_rate"
    assert sum(shares.values()) == pytest.approx(1.0)


def test_importances_of_too_few_or_equal_trials_are_not_invented(sweep: RecordedSweep) -> None:
    """With few trials, or where all came out alike, nothing is told."""
    assert importances(read(sweep.folder)) == {}
    for _ in range(FEWEST_TRIALS):
        sweep.trial(value=0.2)
    sweep.connection.execute("UPDATE trial_values SET value = 0.2")
    assert importances(read(sweep.folder)) == {}
    with pytest.raises(NothingToShow, match="20 complete trials"):
        landscape.importances({})


def test_a_trial_outside_the_present_space_does_not_break_importances(
    many: RecordedSweep,
) -> None:
    """After a range was narrowed, old trials beyond it are left out."""
    narrow = json.dumps(
        {
            "name": "FloatDistribution",
            "attributes": {"low": 1e-4, "high": 1e-1, "log": True, "step": None},
        }
    )
    many.connection.execute(
        "UPDATE trial_params SET distribution_json = ? WHERE param_name = 'learning_rate'"
        " AND trial_id = (SELECT MAX(trial_id) FROM trial_params)",
        (narrow,),
    )
    assert "learning_rate" in importances(read(many.folder))


def test_inactive_parameters_are_gaps_in_the_parallel_coordinates(many: RecordedSweep) -> None:
    """A trial without a parameter passes its axis by; the best trials are drawn last."""
    snapshot = read(many.folder)
    figure = landscape.parallel(snapshot, {})
    axes = figure.layout["xaxis"]["ticktext"]
    assert axes == ["learning_rate", "batch_size", "optimizer", "val_loss"]
    assert figure.traces[-1]["name"] == "best"
    best = figure.traces[-1]
    segment = best["x"][: best["x"].index(None)]
    assert segment[-1] == 3
    assert 1 not in segment, "the best have no batch_size"
    places = [place for trace in figure.traces for place in trace["y"] if place is not None]
    assert all(-1e-9 <= place <= 1 + 1e-9 for place in places)


def test_local_sweeps_spend_hours_where_nothing_costs_money(tmp_path: Path) -> None:
    """Without a price the spend is run time, so that the charts still say something."""
    sweep = RecordedSweep(tmp_path)
    sweep.job(sweep.trial(value=0.3), cost_micro_usd=0, billed_s=1800.0)
    figure = money.over_time(read(tmp_path, now=NOW))
    assert figure.layout["yaxis"]["title"]["text"] == "hours of run time"
    assert figure.traces[0]["y"] == [0.5]
    sweep.close()


def test_spend_adds_up_to_the_budget_used(sweep: RecordedSweep) -> None:
    """The last point of the spend is what the ledger says."""
    snapshot = read(sweep.folder, now=NOW)
    spent = money.over_time(snapshot).traces[0]["y"][-1]
    assert spent == pytest.approx(snapshot.budget.micro_usd.used / 1e6)
    assert money.against_value(snapshot).traces[0]["x"][-1] == pytest.approx(spent)


def test_jobs_in_one_lane_of_the_timeline_never_overlap(sweep: RecordedSweep) -> None:
    """Jobs that ran at the same time stand side by side."""
    figure = money.timeline(read(sweep.folder, now=NOW))
    spans: dict[int, list[tuple[str, float]]] = {}
    for trace in figure.traces:
        if trace["name"] != "waiting":
            for lane, base, length in zip(trace["y"], trace["base"], trace["x"], strict=True):
                spans.setdefault(lane, []).append((base, length / 1000))
    assert len(spans) > 1
    for lane in spans.values():
        ordered = sorted(lane)
        for (begun, length), (following, _) in pairwise(ordered):
            ended = time.mktime(time.strptime(begun, "%Y-%m-%d %H:%M:%S")) + length
            assert ended <= time.mktime(time.strptime(following, "%Y-%m-%d %H:%M:%S")) + 1


@pytest.mark.parametrize("state", [None, TrialState.RUNNING, TrialState.FAIL])
def test_a_sweep_without_results_has_a_page_too(tmp_path: Path, state: TrialState | None) -> None:
    """Charts without data say what is missing instead of breaking the page."""
    sweep = RecordedSweep(tmp_path)
    if state is not None:
        sweep.trial(state, params={})
    text = page(sweep)
    assert "No trial is complete yet." in text
    assert charts(text) == {}
    sweep.close()


def test_infinite_readings_are_gaps(sweep: RecordedSweep) -> None:
    """JSON and the charts know no infinity; a diverged curve does not break the page."""
    sweep.trial(TrialState.FAIL, curve={1: 0.5, 2: math.inf, 3: -math.inf, 4: 0.7})
    traces = charts(page(sweep))["curves"]["traces"]
    (failed,) = [trace for trace in traces if trace["name"] == "failed (1)"]
    assert failed["y"] == [0.5, None, None, 0.7, None]


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=200),
    st.integers(2, 50),
)
def test_a_thinned_curve_is_short_and_keeps_its_end(values: list[float], most: int) -> None:
    """Never more points than asked for (one over at the end), in order, the last reading kept."""
    whole = list(enumerate(values))
    kept = plot.thinned(whole, most)
    assert len(kept) <= most + 1
    assert kept[-1] == whole[-1]
    assert [step for step, _ in kept] == sorted({step for step, _ in kept})


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_the_value_axis_always_shows_the_middle_half(values: list[float]) -> None:
    """Outliers may leave the range, the bulk of the trials never does."""
    axis = plot.value_axis(values, "loss")
    if "range" in axis:
        ordered = sorted(values)
        low, high = axis["range"]
        assert low <= ordered[len(ordered) // 4]
        assert high >= ordered[3 * len(ordered) // 4]


def test_one_diverged_trial_does_not_flatten_the_rest() -> None:
    """A value thousands of times above the others is outside the range."""
    axis = plot.value_axis([0.2, 0.21, 0.22, 0.23, 0.24, 0.25, 0.26, 0.27, 900.0], "loss")
    assert axis["range"][1] < 1


def test_two_hundred_trials_make_less_than_three_megabytes(tmp_path: Path) -> None:
    """The page with the whole plotting bundle can be sent by mail; 2,000 build in time."""
    sweep = RecordedSweep(tmp_path)
    sweep.trial(value=0.3, curve=curve(0.3, 20), origin="baseline", params={"learning_rate": 0.1})
    sweep.job(0)
    sweep.copy_trial(0, 1999)
    snapshot = read(tmp_path, now=NOW)
    begun = time.process_time()
    document.page(snapshot)
    took_s = time.process_time() - begun
    # The figure is 10 s of CPU; the margin is for slow machines.
    assert took_s < 30
    few = snapshot._replace(trials=snapshot.trials[:200])
    assert len(document.page(few).encode()) < 3_000_000
    sweep.close()


def test_the_file_is_written_whole(sweep: RecordedSweep) -> None:
    """The page lies where it belongs, complete."""
    path = sweep.folder / "runs" / "report.html"
    document.write(path, read(sweep.folder, now=NOW))
    assert path.read_text().endswith("</html>\n")


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


def drawn(path: Path, profile: Path, *options: str) -> str:
    """Return the page as a headless browser leaves it after a few (virtual) seconds."""
    assert CHROMIUM is not None
    quiet = (
        "--disable-quic --no-first-run --disable-background-networking"
        " --disable-component-update --disable-sync --disable-gpu --no-sandbox"
    )
    command = [CHROMIUM, "--headless", *quiet.split(), f"--user-data-dir={profile}"]
    command += ["--window-size=1200,9000", "--virtual-time-budget=20000", "--dump-dom"]
    return subprocess.run(
        [*command, *options, path.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_draws_every_chart_without_network(many: RecordedSweep, tmp_path: Path) -> None:
    """The bundle unpacks itself under the page's own policy and draws all charts."""
    path = tmp_path / "report.html"
    document.write(path, read(many.folder, now=NOW))
    dom = drawn(path, tmp_path / "profile")
    assert dom.count('class="main-svg"') >= len(charts(path.read_text()))
    assert re.search(r'<p id="notice" hidden', dom), "no chart failed"


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_a_browser_that_cannot_unpack_says_so(sweep: RecordedSweep, tmp_path: Path) -> None:
    """Without DecompressionStream a sentence stands there, and the tables are complete."""
    path = tmp_path / "report.html"
    old = page(sweep).replace("<script>", "<script>delete window.DecompressionStream;", 1)
    path.write_text(old)
    dom = drawn(path, tmp_path / "profile")
    assert "The charts need a browser from 2023 or later" in dom
    assert 'id="trial-5"' in dom

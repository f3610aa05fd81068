"""The rules: what may start, with what reservation, and why not."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from sweeper.budget import rules
from sweeper.budget.rules import Envelope
from sweeper.budget.rules import Grant
from sweeper.budget.rules import Refusal
from sweeper.budget.rules import Usage
from sweeper.budget.rules import decide

PRICE = 25_000  # a10g-large, micro-dollars a minute


def envelope(**limits: Any) -> Envelope:
    """A roomy envelope, with some limits set."""
    roomy = {
        "max_jobs": 12,
        "max_walltime_s": 28_800.0,
        "max_timeout_s": 7200.0,
        "max_micro_usd": 25_000_000,
        "max_elapsed_s": 86_400.0,
        "allowed_flavors": ("a10g-large",),
        "max_parallel": 4,
    }
    return Envelope(**{**roomy, **limits})


def ask(
    limits: Envelope,
    usage: Usage | None = None,
    completed_s: tuple[float, ...] = (),
    now: float = 1000.0,
    **more: Any,
) -> Grant | Refusal:
    """Decide on a10g-large at its price."""
    asked = {"flavor": "a10g-large", "micro_usd_per_minute": PRICE, **more}
    return decide(limits, usage or Usage(), completed_s=completed_s, now=now, **asked)


def refused(answer: Grant | Refusal) -> Refusal:
    """The answer, which must be a refusal with a full sentence and a hint."""
    assert isinstance(answer, Refusal)
    assert answer.sentence.endswith(".")
    assert answer.hint.endswith(".")
    return answer


def test_the_first_job_gets_max_timeout_and_two_minutes_more() -> None:
    """122 minutes of a10g-large are $3.05."""
    assert ask(envelope()) == Grant(
        timeout_s=7200.0, minutes=122, micro_usd=3_050_000, clipped=False
    )


@pytest.mark.parametrize(
    ("limits", "usage", "timeout_s"),
    [
        ({}, Usage(walltime_s_used=20_000.0, walltime_s_reserved=7200.0), 1600.0),
        ({"max_micro_usd": 1_000_000}, Usage(micro_usd_used=100_000), 60 * 36 - 120),
        ({"max_micro_usd": 1_000_000}, Usage(micro_usd_reserved=124_999), 60 * 35 - 120),
        ({}, Usage(first_submitted_at=1000.0 - 86_000.0), 400.0),
    ],
)
def test_the_tail_clips_the_timeout(limits: Any, usage: Usage, timeout_s: float) -> None:
    """By whichever limit is nearest."""
    answer = ask(envelope(**limits), usage, (100.0, 100.0))
    assert isinstance(answer, Grant)
    assert (answer.timeout_s, answer.clipped) == (timeout_s, True)


@pytest.mark.parametrize(
    ("completed_s", "needed"),
    [
        ((), 7200.0),
        ((100.0,), 7200.0),
        ((100.0, 200.0), 1.3 * 190.0),
        (tuple(float(second) for second in range(0, 101, 10)), 1.3 * 90.0),
        ((9000.0, 9000.0), 7200.0),
        ((0.0, 0.0), 1.0),
    ],
)
def test_a_job_starts_only_where_it_can_finish(
    completed_s: tuple[float, ...], needed: float
) -> None:
    """1.3 times the 90th percentile; max_timeout until two have completed."""
    assert rules.shortest_start_s(7200.0, completed_s) == pytest.approx(needed)
    fits = Usage(walltime_s_used=28_800.0 - needed)
    assert isinstance(ask(envelope(), fits, completed_s), Grant)
    short = Usage(walltime_s_used=28_800.0 - needed + 0.1)
    assert refused(ask(envelope(), short, completed_s)).kind == "walltime"


def test_the_order_of_completed_jobs_does_not_matter() -> None:
    """They come as they ended."""
    assert rules.shortest_start_s(1e6, (300.0, 1.0, 20.0)) == rules.shortest_start_s(
        1e6, (1.0, 20.0, 300.0)
    )


IN_FLIGHT = {"jobs_reserved": 1, "in_flight": 1}


@pytest.mark.parametrize(
    ("limits", "usage", "kind", "waits"),
    [
        ({}, {"jobs_used": 12}, "jobs", False),
        ({}, {"jobs_used": 11, **IN_FLIGHT}, "jobs", True),
        ({}, {"jobs_used": 12, **IN_FLIGHT}, "jobs", False),
        ({"max_parallel": 1}, IN_FLIGHT, "parallel", True),
        ({}, {"walltime_s_used": 28_000.0}, "walltime", False),
        ({}, {"walltime_s_used": 28_000.0, **IN_FLIGHT}, "walltime", True),
        ({}, {"walltime_s_used": 28_800.0, **IN_FLIGHT}, "walltime", False),
        ({}, {"micro_usd_used": 24_000_000}, "cost", False),
        (
            {},
            {"micro_usd_used": 21_000_000, "micro_usd_reserved": 3_050_000, **IN_FLIGHT},
            "cost",
            True,
        ),
        ({}, {"micro_usd_used": 24_990_000, **IN_FLIGHT}, "cost", False),
        ({}, {"first_submitted_at": -85_000.0}, "elapsed", False),
        ({}, {"first_submitted_at": -86_000.0, **IN_FLIGHT}, "elapsed", False),
    ],
)
def test_a_refusal_names_its_limit_and_whether_a_settlement_may_lift_it(
    limits: dict[str, Any], usage: dict[str, Any], kind: str, waits: bool
) -> None:
    """What is used never comes back; what is reserved may."""
    answer = refused(ask(envelope(**limits), Usage(**usage)))
    assert (answer.kind, answer.waits) == (kind, waits)


def test_a_refusal_that_stays_comes_before_one_that_waits() -> None:
    """Both limits are hit, and only one of them ends the sweep."""
    usage = Usage(jobs_used=12, in_flight=1, jobs_reserved=0)
    assert refused(ask(envelope(max_parallel=1), usage)).kind == "jobs"


def test_jobs_held_back_are_not_given_out() -> None:
    """They are kept for confirming the champion."""
    assert isinstance(ask(envelope(), Usage(jobs_used=10), held_back_jobs=1), Grant)
    answer = refused(ask(envelope(), Usage(jobs_used=10), held_back_jobs=2))
    assert answer.kind == "jobs"
    assert "2 held back" in answer.sentence


@pytest.mark.parametrize("flavor", ["a100x8", "A10G-LARGE", ""])
def test_hardware_that_was_not_approved_is_refused(flavor: str) -> None:
    """However cheap it is."""
    assert refused(ask(envelope(), flavor=flavor)).kind == "flavor"


@pytest.mark.parametrize("price", [None, 0, -1])
def test_an_unknown_price_is_not_free(price: int | None) -> None:
    """Also where the envelope has no max_cost."""
    answer = refused(ask(envelope(max_micro_usd=None), micro_usd_per_minute=price))
    assert answer.kind == "price"


@pytest.mark.parametrize("price", [0, None])
@pytest.mark.parametrize("flavor", ["local", "dry"])
def test_this_machine_needs_no_mention_no_price_and_no_money(
    flavor: str, price: int | None
) -> None:
    """Jobs and time are counted all the same."""
    spent = Usage(micro_usd_used=25_000_000)
    answer = ask(envelope(), spent, flavor=flavor, micro_usd_per_minute=price)
    assert answer == Grant(timeout_s=7200.0, minutes=122, micro_usd=0, clipped=False)
    none = ask(envelope(), Usage(jobs_used=12), flavor=flavor, micro_usd_per_minute=0)
    assert refused(none).kind == "jobs"


@pytest.mark.parametrize("field", ["walltime_s_used", "first_submitted_at"])
def test_a_usage_that_is_no_number_grants_nothing(field: str) -> None:
    """Fail closed."""
    refused(ask(envelope(), Usage(**{field: math.nan})))


def test_an_empty_purse_pays_for_nothing() -> None:
    """Even with an overdraft."""
    assert refused(ask(envelope(), Usage(micro_usd_used=30_000_000))).kind == "cost"


def test_refusal_is_decide_without_its_grants() -> None:
    """It asks the same question."""
    arguments: Any = (envelope(), Usage(), "a10g-large", PRICE, (), 0.0)
    assert rules.refusal(*arguments) is None
    assert rules.refusal(*arguments, held_back_jobs=12) == decide(*arguments, held_back_jobs=12)


class Sweep:
    """What a sequence of grants and settlements leaves in the ledger."""

    def __init__(self, limits: Envelope, price: int) -> None:
        self.limits, self.price = limits, price
        self.flying: list[Grant] = []
        self.jobs, self.seconds, self.money = 0, 0.0, 0
        self.completed: list[float] = []
        self.now, self.first = 0.0, None

    def usage(self) -> Usage:
        """What the ledger would say."""
        return Usage(
            jobs_used=self.jobs,
            jobs_reserved=len(self.flying),
            walltime_s_used=self.seconds,
            walltime_s_reserved=math.fsum(grant.timeout_s for grant in self.flying),
            micro_usd_used=self.money,
            micro_usd_reserved=sum(grant.micro_usd for grant in self.flying),
            in_flight=len(self.flying),
            first_submitted_at=self.first,
        )

    def ask(self) -> Grant | Refusal:
        """What the rules say to one more job."""
        return ask(
            self.limits,
            self.usage(),
            tuple(self.completed),
            self.now,
            micro_usd_per_minute=self.price,
        )

    def launch(self) -> Grant | Refusal:
        """Start one more job if the rules let it."""
        answer = self.ask()
        if isinstance(answer, Grant):
            self.flying.append(answer)
            self.first = self.now if self.first is None else self.first
        return answer

    def settle(self, share: float) -> None:
        """End the oldest job after a share of its timeout."""
        grant = self.flying.pop(0)
        ran = grant.timeout_s * share
        self.now += ran
        self.jobs, self.seconds = self.jobs + 1, self.seconds + ran
        self.money += min(grant.minutes, math.ceil((ran + 120) / 60)) * self.price
        self.completed.append(ran)


LIMITS = st.builds(
    envelope,
    max_jobs=st.integers(1, 30),
    max_walltime_s=st.floats(60, 1e5),
    max_timeout_s=st.floats(1, 1e4),
    max_micro_usd=st.none() | st.integers(1, 40_000_000),
    max_elapsed_s=st.none() | st.floats(60, 1e5),
    max_parallel=st.integers(1, 5),
)
STEPS = st.lists(st.none() | st.floats(0, 1), max_size=80)


@settings(max_examples=300, deadline=None)
@given(limits=LIMITS, price=st.integers(1, 400_000), steps=STEPS)
def test_no_sequence_of_grants_leaves_the_envelope(
    limits: Envelope, price: int, steps: list[float | None]
) -> None:
    """Whatever starts and settles at or below its reservation, in any order."""
    sweep = Sweep(limits, price)
    for share in steps:
        if share is None:
            sweep.launch()
        elif sweep.flying:
            sweep.settle(share)
        usage = sweep.usage()
        seconds = usage.walltime_s_used + usage.walltime_s_reserved
        assert usage.jobs_used + usage.jobs_reserved <= limits.max_jobs
        assert usage.in_flight <= limits.max_parallel
        assert seconds <= limits.max_walltime_s + 1e-3
        if limits.max_micro_usd is not None:
            assert usage.micro_usd_used + usage.micro_usd_reserved <= limits.max_micro_usd
    jobs, most_s, most = rules.worst_case(limits, price)
    assert most is not None
    assert sweep.jobs <= jobs
    assert sweep.seconds <= most_s + 1e-3
    assert sweep.money <= most


@settings(max_examples=200, deadline=None)
@given(limits=LIMITS, price=st.integers(1, 400_000), shares=st.lists(st.floats(0, 1), min_size=60))
def test_the_tail_of_the_budget_is_used(limits: Envelope, price: int, shares: list[float]) -> None:
    """At the final refusal nothing is left that one job of the shortest useful length needs."""
    sweep = Sweep(limits, price)
    for share in shares:
        while isinstance(answer := sweep.launch(), Grant):
            assert (
                answer.timeout_s
                >= rules.shortest_start_s(limits.max_timeout_s, sweep.completed) - 1e-6
            )
        if not sweep.flying:
            break
        sweep.settle(share)
    if sweep.flying:
        return
    answer = refused(sweep.ask())
    assert not answer.waits
    needed = rules.shortest_start_s(limits.max_timeout_s, sweep.completed)
    fits = {
        "jobs": sweep.jobs < limits.max_jobs,
        "walltime": limits.max_walltime_s - sweep.seconds >= needed,
        "elapsed": limits.max_elapsed_s is None
        or (sweep.first or 0.0) + limits.max_elapsed_s - sweep.now >= needed,
        "cost": limits.max_micro_usd is None
        or math.ceil((needed + 120) / 60) * price <= limits.max_micro_usd - sweep.money,
    }
    assert not fits[answer.kind]


@settings(max_examples=200, deadline=None)
@given(limits=LIMITS, price=st.integers(1, 400_000), steps=STEPS)
def test_a_refusal_that_does_not_wait_stays(
    limits: Envelope, price: int, steps: list[float | None]
) -> None:
    """No settlement at any length turns it into a grant."""
    sweep = Sweep(limits, price)
    for share in steps:
        if share is None:
            answer = sweep.launch()
            if isinstance(answer, Refusal) and not answer.waits:
                while sweep.flying:
                    sweep.settle(0.0)
                    assert isinstance(sweep.ask(), Refusal)
                return
        elif sweep.flying:
            sweep.settle(share)


def test_an_envelope_survives_its_document() -> None:
    """The approval is kept as JSON."""
    for limits in (envelope(), envelope(max_micro_usd=None, max_elapsed_s=None)):
        assert Envelope.from_document(limits.as_document()) == limits


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_jobs", None),
        ("max_jobs", 0),
        ("max_jobs", True),
        ("max_jobs", "12"),
        ("max_walltime_s", math.nan),
        ("max_walltime_s", -1.0),
        ("max_timeout_s", "2h"),
        ("max_elapsed_s", 0),
        ("max_cost", math.nan),
        ("max_cost", "much"),
        ("max_parallel", 1.5),
        ("allowed_flavors", "t4-small"),
        ("max_gpus", 8),
    ],
)
def test_a_document_that_is_not_understood_is_refused(key: str, value: object) -> None:
    """A limit that cannot be read would not bind."""
    with pytest.raises(ValueError, match=r"envelope|dollars"):
        Envelope.from_document({**envelope().as_document(), key: value})


def test_a_limit_missing_from_a_document_is_refused() -> None:
    """Nothing is filled in."""
    for key in ("max_jobs", "max_walltime_s", "max_timeout_s", "max_parallel", "allowed_flavors"):
        document = envelope().as_document()
        del document[key]
        with pytest.raises(ValueError, match=key):
            Envelope.from_document(document)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"max_jobs": 20}, "max_jobs rises from 12 to 20."),
        ({"max_walltime_s": 36_000.0}, "max_walltime rises from 8h to 10h."),
        ({"max_timeout_s": 9000.0}, "max_timeout rises from 2h to 2h30m."),
        ({"max_micro_usd": 30_000_000}, "max_cost rises from $25.00 to $30.00."),
        ({"max_micro_usd": None}, "max_cost rises from $25.00 to no limit."),
        ({"max_elapsed_s": None}, "max_elapsed rises from 1d to no limit."),
        ({"max_parallel": 8}, "max_parallel rises from 4 to 8."),
        ({"allowed_flavors": ("a10g-large", "h200")}, "allowed_flavors gains h200."),
        ({"allow_deletes": True}, "allow_deletes is switched on."),
    ],
)
def test_each_limit_that_widens_is_one_sentence(change: dict[str, Any], sentence: str) -> None:
    """And the way back is none: narrowing needs nobody."""
    assert rules.widened(envelope(), envelope(**change)) == [sentence]
    assert rules.widened(envelope(**change), envelope()) == []


def test_the_same_envelope_is_covered() -> None:
    """Also in another order of flavors, and with fewer of them."""
    both = envelope(allowed_flavors=("a10g-large", "t4-small"))
    assert rules.widened(both, envelope(allowed_flavors=("t4-small", "a10g-large"))) == []
    assert rules.widened(both, envelope(allowed_flavors=())) == []


def test_the_worst_case_is_what_reservations_can_add_up_to() -> None:
    """Jobs, seconds and money; money is unknown without a price or a limit."""
    assert rules.worst_case(envelope(max_micro_usd=None), PRICE) == (12, 28_800.0, 516 * PRICE)
    assert rules.worst_case(envelope(max_jobs=2, max_micro_usd=None), PRICE) == (
        2,
        14_400.0,
        244 * PRICE,
    )
    assert rules.worst_case(envelope(max_micro_usd=1), PRICE)[2] == 1
    assert rules.worst_case(envelope(max_micro_usd=7), None)[2] == 7
    assert rules.worst_case(envelope(max_micro_usd=None), None)[2] is None
    assert rules.worst_case(envelope(), 0)[2] == 0


def test_records_are_compared_and_shown_by_their_fields() -> None:
    """A failing test should say what differs."""
    assert Usage(jobs_used=1) != Usage()
    assert Usage() != Grant(timeout_s=1.0, minutes=1, micro_usd=1, clipped=False)
    assert "max_jobs=12" in repr(envelope())
    assert len({envelope(), envelope(), envelope(max_jobs=1)}) == 2

from __future__ import annotations

import ast
import threading
from pathlib import Path
from typing import Any

import pytest

import sweeper
from sweeper.budget import rules
from sweeper.errors import LeaseLostError
from sweeper.errors import NotApprovedError
from sweeper.errors import StateError
from sweeper.state import lease
from sweeper.state.database import Database
from sweeper.state.ledger import BudgetRefusedError
from sweeper.state.ledger import Ledger
from tests.state import facts
from tests.state.facts import NOW
from tests.state.facts import PRICE
from tests.state.facts import UID


@pytest.fixture
def ledger(database: Database) -> Ledger:
    """The ledger of a study with room for ten jobs."""
    facts.study(database)
    facts.approve(database)
    return Ledger(database, UID)


def test_a_reservation_carries_what_the_job_needs(database: Database, ledger: Ledger) -> None:
    """With a token that nobody can guess and that no other job has."""
    one = facts.reserve(ledger, database, 1, params={"lr": 1e-5, "peft": "none", "bias": None})
    two = facts.reserve(ledger, database, 2)
    assert one.params == {"lr": 1e-5, "peft": "none", "bias": None}
    assert (one.purpose, one.timeout_s, one.flavor) == ("digits/1/1", 600.0, "local")
    assert len(one.nonce) == 32
    assert int(one.nonce, 16) >= 0
    assert one.nonce != two.nonce


def test_money_is_reserved_for_started_minutes_and_a_margin(
    database: Database, ledger: Ledger
) -> None:
    """600 s and 120 s of margin are twelve minutes."""
    facts.approve(database, max_micro_usd=10_000_000)
    paid = facts.reserve(ledger, database, 1, micro_usd_per_minute=PRICE)
    assert paid.reserved_micro_usd == 12 * PRICE
    assert ledger.usage() == rules.Usage(
        jobs_reserved=1, walltime_s_reserved=600.0, micro_usd_reserved=12 * PRICE, in_flight=1
    )


def test_without_an_approval_nothing_is_reserved(database: Database) -> None:
    """The row in the database decides, and there is none."""
    facts.study(database)
    ledger = Ledger(database, UID)
    with pytest.raises(NotApprovedError, match="Nobody has approved"):
        facts.reserve(ledger, database, 1)
    assert ledger.jobs() == []


def test_an_executor_that_was_not_approved_gets_nothing(
    database: Database, ledger: Ledger
) -> None:
    """A dry run gets its reservation: it spends nothing."""
    with pytest.raises(NotApprovedError, match="'local', not 'hf'"):
        facts.reserve(ledger, database, 1, executor="hf")
    assert facts.reserve(ledger, database, 1, executor="dry").executor == "dry"


def test_a_refusal_says_why_and_leaves_no_row(database: Database, ledger: Ledger) -> None:
    """The rule itself travels with the error."""
    facts.approve(database, max_jobs=1)
    facts.reserve(ledger, database, 1)
    with pytest.raises(BudgetRefusedError) as caught:
        facts.reserve(ledger, database, 2)
    assert caught.value.refusal.kind == "jobs"
    assert caught.value.message == caught.value.refusal.sentence
    assert len(ledger.jobs()) == 1


def test_narrowing_applies_to_the_very_next_reservation(
    database: Database, ledger: Ledger
) -> None:
    """The newest row is read in the transaction that reserves."""
    facts.reserve(ledger, database, 1)
    facts.approve(database, max_jobs=1)
    with pytest.raises(BudgetRefusedError):
        facts.reserve(ledger, database, 2)


def test_an_unknown_price_is_not_free(database: Database, ledger: Ledger) -> None:
    """Not even where no limit on money was set."""
    with pytest.raises(BudgetRefusedError) as caught:
        facts.reserve(ledger, database, 1, micro_usd_per_minute=None)
    assert caught.value.refusal.kind == "price"


def test_one_purpose_has_one_job(database: Database, ledger: Ledger) -> None:
    """Unless what was reserved for it was given back."""
    first = facts.reserve(ledger, database, 1)
    with pytest.raises(StateError, match="digits/1/1 has a job already"):
        facts.reserve(ledger, database, 1)
    ledger.give_back(database.transaction, first.id, NOW)
    second = facts.reserve(ledger, database, 1)
    assert second.nonce != first.nonce
    facts.reserve(ledger, database, 1, attempt="2")


def test_the_way_of_a_job(database: Database, ledger: Ledger) -> None:
    """Each step is seen with its time, and settling frees what was not used."""
    facts.approve(database, max_micro_usd=10_000_000)
    paid = facts.reserve(ledger, database, 1, micro_usd_per_minute=PRICE)
    seen = [ledger.job(paid.id).state]
    ledger.submitting(database.transaction, paid, NOW + 1)
    seen.append(ledger.job(paid.id).state)
    ledger.submitted(database.transaction, paid, "job-a", NOW + 2)
    ledger.running(database.transaction, paid.id, NOW + 3)
    seen.append(ledger.job(paid.id).state)
    ledger.cancelling(database.transaction, paid.id, "pruner", NOW + 4)
    seen.append(ledger.job(paid.id).state)
    ledger.terminal(database.transaction, paid.id, "CANCELED", NOW + 5)
    seen.append(ledger.job(paid.id).state)
    facts.settle(
        ledger,
        database,
        paid.id,
        outcome="pruned",
        ended_by="pruner",
        failure={"cause": "none\0", "excerpt": ["ü"]},
        billed_s=61.5,
        cost_micro_usd=2 * PRICE,
        started_at=None,
        finished_at=None,
    )
    row = ledger.job(paid.id)
    assert [*seen, row.state] == [
        "reserved",
        "submitting",
        "submitted",
        "cancelling",
        "terminal",
        "settled",
    ]
    assert (row.reserved_at, row.submitting_at, row.submitted_at) == (NOW, NOW + 1, NOW + 2)
    assert (row.started_at, row.cancelling_at, row.finished_at) == (NOW + 3, NOW + 4, NOW + 5)
    assert (row.outcome, row.ended_by, row.value) == ("pruned", "pruner", 0.5)
    assert row.failure == {"cause": "none\0", "excerpt": ["ü"]}
    assert (row.told, row.estimated) == (False, False)
    assert ledger.usage() == rules.Usage(
        jobs_used=1,
        walltime_s_used=61.5,
        micro_usd_used=2 * PRICE,
        first_submitted_at=NOW + 2,
    )
    ledger.told(database.transaction, paid.id)
    assert ledger.job(paid.id).told


def test_no_step_leads_backwards(database: Database, ledger: Ledger) -> None:
    """A late message about a settled job changes nothing and is refused by name."""
    paid = facts.submit(ledger, database, 1)
    facts.settle(ledger, database, paid.id)
    before = ledger.job(paid.id)
    tx = database.transaction
    backwards: list[Any] = [
        lambda: ledger.submitting(tx, paid, NOW),
        lambda: ledger.submitted(tx, paid, "job-other", NOW),
        lambda: ledger.running(tx, paid.id, NOW),
        lambda: ledger.cancelling(tx, paid.id, "person", NOW),
        lambda: ledger.terminal(tx, paid.id, "ERROR", NOW),
        lambda: ledger.give_back(tx, paid.id, NOW),
        lambda: facts.settle(ledger, database, paid.id, cost_micro_usd=0),
        lambda: ledger.again(paid.id),
    ]
    for step in backwards:
        with pytest.raises(StateError, match=r"digits/1/1 \(row \d+\) is settled and cannot"):
            step()
    assert ledger.job(paid.id) == before


def test_no_step_is_skipped(database: Database, ledger: Ledger) -> None:
    """Nothing is submitted that was not announced, nothing is settled that has no job."""
    paid = facts.reserve(ledger, database, 1)
    tx = database.transaction
    too_early: list[Any] = [
        lambda: ledger.submitted(tx, paid, "job", NOW),
        lambda: ledger.cancelling(tx, paid.id, "person", NOW),
        lambda: ledger.terminal(tx, paid.id, "ERROR", NOW),
        lambda: facts.settle(ledger, database, paid.id),
        lambda: ledger.told(tx, paid.id),
        lambda: ledger.again(paid.id),
    ]
    for step in too_early:
        with pytest.raises(StateError, match="is reserved and cannot"):
            step()
    assert ledger.job(paid.id).state == "reserved"


def test_a_step_taken_twice_is_taken_once(database: Database, ledger: Ledger) -> None:
    """After a crash a conductor may repeat what it is not sure of; the first time stands."""
    paid = facts.reserve(ledger, database, 1)
    tx = database.transaction
    for again in (0, 100):
        ledger.submitting(tx, paid, NOW + 1 + again)
    for again in (0, 100):
        ledger.submitted(tx, paid, "job-a", NOW + 2 + again)
    for again, reason in ((0, "pruner"), (100, "person")):
        ledger.running(tx, paid.id, NOW + 3 + again)
        ledger.cancelling(tx, paid.id, reason, NOW + 4 + again)
    row = ledger.job(paid.id)
    assert (row.submitting_at, row.submitted_at) == (NOW + 1, NOW + 2)
    assert (row.started_at, row.cancelling_at, row.cancel_reason) == (NOW + 3, NOW + 4, "pruner")


def test_a_request_may_be_sent_again_with_the_same_token(
    database: Database, ledger: Ledger
) -> None:
    """So that a job which was created after all is recognised as ours."""
    paid = facts.reserve(ledger, database, 1)
    ledger.submitting(database.transaction, paid, NOW + 1)
    assert ledger.again(paid.id) == paid


def test_what_created_nothing_counts_for_nothing(database: Database, ledger: Ledger) -> None:
    """Neither as a job nor as time, money or the beginning of the elapsed time."""
    for trial, announced in ((1, False), (2, True)):
        paid = facts.reserve(ledger, database, trial)
        if announced:
            ledger.submitting(database.transaction, paid, NOW)
        ledger.give_back(database.transaction, paid.id, NOW)
    assert ledger.usage() == rules.Usage()


def test_every_created_job_counts(database: Database, ledger: Ledger) -> None:
    """Attempts, lost ones, evaluations and jobs that failed at once."""
    for attempt, outcome in (
        ("1", "lost"),
        ("2", "failed"),
        ("3", "complete"),
        ("e1", "complete"),
    ):
        paid = facts.submit(ledger, database, 1, attempt=attempt)
        facts.settle(ledger, database, paid.id, outcome=outcome, billed_s=0.0)
    assert ledger.usage().jobs_used == 4


def test_what_vanished_is_booked_at_its_reserved_maximum(
    database: Database, ledger: Ledger
) -> None:
    """Unknown is not free; the billing page may correct it, once."""
    facts.approve(database, max_micro_usd=10_000_000)
    paid = facts.submit(ledger, database, 1, micro_usd_per_minute=PRICE)
    facts.settle(
        ledger,
        database,
        paid.id,
        outcome="lost",
        stage="DELETED",
        billed_s=None,
        charged_s=None,
        cost_micro_usd=None,
    )
    row = ledger.job(paid.id)
    assert (row.billed_s, row.cost_micro_usd, row.estimated) == (600.0, 12 * PRICE, True)
    correction = {"billed_s": 30.0, "charged_s": 40.0, "cost_micro_usd": PRICE}
    ledger.correct(database.transaction, paid.id, **correction)  # type: ignore[arg-type]
    row = ledger.job(paid.id)
    assert (row.billed_s, row.cost_micro_usd, row.estimated) == (30.0, PRICE, False)
    with pytest.raises(StateError):
        ledger.correct(database.transaction, paid.id, **correction)  # type: ignore[arg-type]


@pytest.mark.parametrize("amount", [-1.0, float("nan"), float("inf")])
def test_no_settlement_pays_money_back(database: Database, ledger: Ledger, amount: float) -> None:
    """Nor poisons the sums with what is no number."""
    paid = facts.submit(ledger, database, 1)
    for column in ("billed_s", "charged_s", "cost_micro_usd"):
        with pytest.raises(ValueError, match="no amount"):
            facts.settle(ledger, database, paid.id, **{column: amount})
    assert ledger.job(paid.id).state == "submitted"


def test_a_late_duplicate_is_booked_on_its_own(database: Database, ledger: Ledger) -> None:
    """Once, in whatever state its origin is, and even where the envelope has no room left."""
    facts.approve(database, max_jobs=1)
    paid = facts.submit(ledger, database, 1)
    tx = database.transaction
    extra = ledger.duplicate(tx, paid.id, "job-late", NOW + 50)
    assert ledger.duplicate(tx, paid.id, "job-late", NOW + 60) == extra
    row = ledger.job(extra)
    assert (row.duplicate_of, row.job_id, row.state) == (paid.id, "job-late", "submitted")
    assert (row.purpose, row.reserved_micro_usd) == ("digits/1/1", paid.reserved_micro_usd)
    assert ledger.usage().jobs_reserved == 2
    facts.settle(ledger, database, paid.id)
    ledger.cancelling(tx, extra, "duplicate", NOW + 51)
    facts.settle(ledger, database, extra, outcome="pruned", billed_s=10.0)
    assert ledger.usage().jobs_used == 2
    assert ledger.usage().walltime_s_used == 70.0


def test_a_job_that_shows_up_after_its_reservation_was_given_back_is_booked(
    database: Database, ledger: Ledger
) -> None:
    """The listing lagged behind; the money is owed all the same."""
    paid = facts.reserve(ledger, database, 1)
    ledger.submitting(database.transaction, paid, NOW)
    ledger.give_back(database.transaction, paid.id, NOW + 20)
    ledger.duplicate(database.transaction, paid.id, "job-ghost", NOW + 99)
    assert ledger.usage().jobs_reserved == 1


def test_durations_are_those_of_completed_trainings(database: Database, ledger: Ledger) -> None:
    """Not of what was pruned, of evaluations, or of what nobody measured."""
    for trial, facts_of_it in enumerate(
        (
            {"billed_s": 50.0},
            {"billed_s": 40.0, "now": NOW + 65},
            {"outcome": "pruned"},
            {"outcome": "lost", "billed_s": None},
            {"billed_s": None},
        )
    ):
        facts.settle(ledger, database, facts.submit(ledger, database, trial).id, **facts_of_it)
    evaluation = facts.submit(ledger, database, 9, attempt="e1")
    facts.settle(ledger, database, evaluation.id, billed_s=1.0)
    assert ledger.completed_durations() == [50.0, 40.0]


def test_the_tail_of_the_budget_is_marked_as_clipped(database: Database, ledger: Ledger) -> None:
    """A job that such a timeout cuts was not too slow; the mark outlives a crash."""
    facts.approve(database, max_walltime_s=1000.0)
    for trial in (1, 2):
        facts.settle(ledger, database, facts.submit(ledger, database, trial).id, billed_s=300.0)
    paid = facts.reserve(ledger, database, 3)
    assert (paid.timeout_s, paid.clipped) == (400.0, True)
    assert ledger.job(paid.id).clipped


def test_rows_can_be_asked_for_by_state_and_trial(database: Database, ledger: Ledger) -> None:
    """In the order of reservation, and never another study's."""
    facts.study(database, uid="another1")
    mine = [facts.submit(ledger, database, trial).id for trial in (1, 2)]
    facts.settle(ledger, database, mine[0])
    assert [row.id for row in ledger.jobs()] == mine
    assert [row.id for row in ledger.jobs(states=["submitted", "settled"])] == mine
    assert [row.id for row in ledger.jobs(states=["settled"], trial=1)] == mine[:1]
    assert ledger.jobs(trial=7) == []
    with pytest.raises(StateError, match="has no job row"):
        Ledger(database, "another1").job(mine[0])


def test_a_conductor_that_lost_its_lease_reserves_nothing(
    database: Database, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor takes any other step with a job it knows."""
    held = lease.acquire(database, UID, ttl_s=60)
    paid = facts.reserve(ledger, database, 1, where=held.transaction)
    monkeypatch.setenv("SWEEPER_BOOT_ID", "after a crash")
    lease.acquire(database, UID, ttl_s=60)
    with pytest.raises(LeaseLostError):
        facts.reserve(ledger, database, 2, where=held.transaction)
    with pytest.raises(LeaseLostError):
        ledger.submitting(held.transaction, paid, NOW)
    assert [row.state for row in ledger.jobs()] == ["reserved"]


def test_several_steps_may_share_one_transaction(database: Database, ledger: Ledger) -> None:
    """And are undone together."""
    paid = facts.submit(ledger, database, 1)

    def _two_steps() -> None:
        with database.transaction() as connection:
            ledger.cancelling(connection, paid.id, "person", NOW)
            ledger.terminal(connection, paid.id, "CANCELED", NOW)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        _two_steps()
    assert ledger.job(paid.id).state == "submitted"


def test_threads_that_reserve_at_once_share_the_envelope(
    database: Database, ledger: Ledger
) -> None:
    """Also while somebody approves anew, which takes no part of the lock's order away."""
    granted: list[int] = []

    def _reserve(trial: int) -> None:
        try:
            granted.append(facts.reserve(ledger, database, trial).id)
        except BudgetRefusedError:
            return

    threads = [threading.Thread(target=_reserve, args=(trial,)) for trial in range(14)]
    threads.insert(7, threading.Thread(target=facts.approve, args=(database,)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(granted) == len(ledger.jobs()) == 10


def test_only_the_ledger_makes_a_reservation() -> None:
    """No other file of the product calls the constructor."""
    root = Path(sweeper.__file__).parent
    makers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", getattr(node.func, "id", None)) == "Reservation"
    }
    assert makers == {"state/booking.py"}

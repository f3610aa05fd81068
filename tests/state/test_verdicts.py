from __future__ import annotations

from sweeper.state import verdicts
from sweeper.state.database import Database
from sweeper.state.verdicts import Verdict
from tests.state.facts import NOW
from tests.state.facts import UID


def test_a_verdict_stands_until_it_is_rewritten(database: Database) -> None:
    """The noise floor moved: one trial changes sides, the other stays."""
    keep = Verdict(3, "keep", "0.12 better than the baseline.", 0.01, None, 1)
    discard = Verdict(4, "discard", "No better than noise.", 0.01, False, 1)
    verdicts.store(database.transaction, UID, [keep, discard], NOW)
    assert verdicts.load(database, UID) == {3: keep, 4: discard}
    moved = Verdict(3, "discard", "Within the noise after all.", 0.2, True, 2)
    verdicts.store(database.transaction, UID, [moved])
    assert verdicts.load(database, UID) == {3: moved, 4: discard}
    assert verdicts.load(database, "another1") == {}

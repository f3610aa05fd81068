"""What reaches the Hub: only inside the scope, in one commit, and once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeper import publish
from sweeper.errors import RefusedError
from sweeper.errors import UnavailableError
from sweeper.jobs.hf.connection import Connection
from sweeper.jobs.hf.connection import connect
from sweeper.publish import Output
from sweeper.publish import Winner
from tests.doubles.hub.fixtures import loopback
from tests.doubles.hub.server import Hub

SCOPE = ["me/sweep-*", "me/fixed"]
WINNER = Winner(
    study="digits",
    uid="9f3a01bc",
    trial=3,
    params={"lr": 0.003, "peft": "lora"},
    metric="val_loss",
    value=0.0812345678,
    uncertainty=0.0012,
    trials=12,
    cost_micro_usd=1_234_567,
    provenance={"script": "train.py 1f2e3d"},
)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    with loopback(monkeypatch, tmp_path) as double:
        yield double


@pytest.fixture
def connection(hub: Hub) -> Connection:
    return connect(namespace="me")


def pushed(hub: Hub, repo_id: str, branch: str = "main") -> None:
    """Play a job that pushed a model."""
    repo = hub.repos.all.get(("model", repo_id)) or hub.repos.add("model", repo_id)
    repo.commit(
        branch, {"model.safetensors": b"1", "README.md": b"---\nlicense: mit\n---\nHi\n"}, "x"
    )


def test_a_trial_has_its_own_repository_or_its_own_branch() -> None:
    assert publish.output_of("me/sweep-*", "digits", "9f3a01bc", 3) == Output(
        "me/sweep-digits-9f3a01bc-3"
    )
    assert publish.output_of("me/fixed", "digits", "9f3a01bc", 3) == Output("me/fixed", "trial-3")


def test_a_push_counts_only_if_something_was_pushed(hub: Hub, connection: Connection) -> None:
    assert publish.pushed_url(connection, Output("me/sweep-a")) is None
    hub.repos.add("model", "me/sweep-a")
    assert publish.pushed_url(connection, Output("me/sweep-a")) is None
    assert publish.pushed_url(connection, Output("me/sweep-a", "trial-1")) is None

    pushed(hub, "me/sweep-a")
    pushed(hub, "me/sweep-a", "trial-1")

    assert publish.pushed_url(connection, Output("me/sweep-a")) == (
        f"{hub.endpoint}/me/sweep-a/tree/main"
    )
    assert publish.pushed_url(connection, Output("me/sweep-a", "trial-1"))


def test_the_winner_gets_its_card_in_one_commit_and_a_tag_on_it(
    hub: Hub,
    connection: Connection,
) -> None:
    pushed(hub, "me/sweep-a")
    repo = hub.repos.get("model", "me/sweep-a")
    before = len(repo.history)

    url = publish.crown(connection, Output("me/sweep-a"), WINNER, SCOPE)

    assert len(repo.history) == before + 1
    assert url == f"{hub.endpoint}/me/sweep-a/tree/{WINNER.tag}"
    assert repo.tags[WINNER.tag] == repo.branches["main"]
    card = repo.commits[repo.branches["main"]]["README.md"].decode()
    assert card.startswith("---\nlicense: mit\n---\nHi\n")
    for said in ("val_loss: **0.0812346** ± 0.0012", "| `lr` | `0.003` |", "$1.23", "9f3a01bc"):
        assert said in card
    assert repo.commits[repo.branches["main"]]["model.safetensors"] == b"1"


def test_crowning_again_changes_nothing_and_a_new_winner_replaces_the_section(
    hub: Hub,
    connection: Connection,
) -> None:
    pushed(hub, "me/fixed", "trial-3")
    output = Output("me/fixed", "trial-3")
    publish.crown(connection, output, WINNER, SCOPE)
    repo = hub.repos.get("model", "me/fixed")
    commits = len(repo.history)

    publish.crown(connection, output, WINNER, SCOPE)
    assert len(repo.history) == commits

    from dataclasses import replace

    publish.crown(connection, output, replace(WINNER, value=0.07), SCOPE)
    card = repo.commits[repo.branches["trial-3"]]["README.md"].decode()
    assert card.count(publish.BEGIN) == card.count("## Hyperparameters") == 1
    assert repo.tags[WINNER.tag] == repo.branches["trial-3"]


def test_a_crash_between_card_and_tag_is_made_good(hub: Hub, connection: Connection) -> None:
    pushed(hub, "me/sweep-a")
    hub.faults.arm("status", route="tag", status=500)
    with pytest.raises(UnavailableError):
        publish.crown(connection, Output("me/sweep-a"), WINNER, SCOPE)

    publish.crown(connection, Output("me/sweep-a"), WINNER, SCOPE)

    repo = hub.repos.get("model", "me/sweep-a")
    assert repo.tags[WINNER.tag] == repo.branches["main"]
    assert len(repo.history) == 3


def test_nothing_outside_the_scope_is_written_or_deleted(
    hub: Hub,
    connection: Connection,
) -> None:
    pushed(hub, "me/precious")
    pushed(hub, "me/sweep-a")

    with pytest.raises(RefusedError, match="me/precious"):
        publish.crown(connection, Output("me/precious"), WINNER, SCOPE)
    with pytest.raises(RefusedError, match="me/precious"):
        publish.delete(
            connection,
            [Output("me/sweep-a"), Output("me/precious")],
            SCOPE,
            allow_deletes=True,
        )

    assert len(hub.repos.get("model", "me/precious").history) == 2
    assert hub.count("repo-delete") == 0


def test_losers_are_deleted_only_where_that_is_allowed(hub: Hub, connection: Connection) -> None:
    pushed(hub, "me/sweep-a")
    pushed(hub, "me/fixed", "trial-1")
    losers = [Output("me/sweep-a"), Output("me/fixed", "trial-1"), Output("me/sweep-never")]

    assert publish.delete(connection, losers, SCOPE, allow_deletes=False) == losers
    assert hub.count("repo-delete") == 0
    assert publish.delete(connection, losers, SCOPE, allow_deletes=True) == []

    assert ("model", "me/sweep-a") not in hub.repos.all
    assert list(hub.repos.get("model", "me/fixed").branches) == ["main"]

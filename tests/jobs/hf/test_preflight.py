"""What would only fail after it was paid for is said before anything is spent."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sweeper import program
from sweeper.jobs.hf.preflight import preflight
from sweeper.program import Program
from tests.doubles.hub.server import Hub

PAGE = """
## Sweep
```yaml
name: s
executor: hf
```
## Goal
```yaml
metric: loss
direction: minimize
```
## Scope
```yaml
models: {models}
datasets: {datasets}
output_repos: ["me/sweep-*"]
```
## Training
```yaml
script: train.py
args: {args}
secrets: {secrets}
env: {env}
{namespace}
```
## Search space
```yaml
lr: {{low: 1.0e-6, high: 1.0e-3, log: true}}
```
## Budget envelope
```yaml
max_jobs: 3
max_walltime: 3h
max_timeout: 1h
allowed_flavors: {flavors}
```
"""
Make = Callable[..., Program]


@pytest.fixture
def page(tmp_path: Path) -> Make:
    def make(script: str = "print('loss=1')", **settings: str) -> Program:
        values = {
            "models": "[]", "datasets": "[]", "args": "[]", "secrets": "[]", "env": "{}",
            "namespace": "", "flavors": "[t4-small]",
        }  # fmt: skip
        (tmp_path / "train.py").write_text(script)
        (tmp_path / "program.md").write_text(PAGE.format(**{**values, **settings}))
        return program.load(tmp_path)

    return make


def sentences(found: Program, **settings: float) -> list[str]:
    return [problem.sentence for problem in preflight(found, **settings)]


def test_a_program_that_can_run_has_no_problem(hub: Hub, page: Make) -> None:
    assert preflight(page()) == []


@pytest.mark.parametrize(
    ("script", "args"),
    [
        ("print()", '["--hub_model_id", "{output_repo}"]'),
        ("print()", '["--push_to_hub"]'),
        ("print()", '["--push_to_hub=true"]'),
        ("trainer.push_to_hub()", "[]"),
        ("Args(push_to_hub=True)", "[]"),
    ],
)
def test_pushing_without_the_token_among_the_secrets_is_a_problem(
    hub: Hub, page: Make, script: str, args: str
) -> None:
    assert any("token is not among" in s for s in sentences(page(script, args=args)))
    assert sentences(page(script, args=args, secrets="[HF_TOKEN]")) == []


@pytest.mark.parametrize("args", ["[]", '["--push_to_hub", "false"]', '["--push_to_hub=no"]'])
def test_a_training_that_does_not_push_needs_no_token(hub: Hub, page: Make, args: str) -> None:
    assert sentences(page("# trainer.push_to_hub() later", args=args)) == []


def test_a_repository_outside_the_scope_is_a_problem(hub: Hub, page: Make) -> None:
    found = page(args='["--hub_model_id", "you/model"]', secrets="[HF_TOKEN]")

    assert sentences(found) == [
        "The training pushes to you/model, which is outside of output_repos."
    ]


def test_a_timeout_under_the_measured_duration_is_a_problem(hub: Hub, page: Make) -> None:
    assert sentences(page(), measured_s=3500.0) == []
    assert "it would be cut off and paid" in sentences(page(), measured_s=4000.0)[0]


def test_a_secret_that_is_set_nowhere_is_a_problem(hub: Hub, page: Make, tmp_path: Path) -> None:
    assert "WANDB_API_KEY" in sentences(page(secrets="[WANDB_API_KEY]"))[0]

    (tmp_path / ".env").write_text("WANDB_API_KEY=abc\n")

    assert sentences(page(secrets="[WANDB_API_KEY]")) == []


def test_a_token_in_the_environment_block_is_a_problem(hub: Hub, page: Make) -> None:
    assert "everybody" in sentences(page(env="{HF_TOKEN: hf_abc}"))[0]


def test_a_flavor_without_a_price_is_a_problem(hub: Hub, page: Make) -> None:
    assert "'zero-a10g'" in sentences(page(flavors="[t4-small, zero-a10g]"))[0]


def test_a_flavor_is_judged_by_the_snapshot_when_the_list_cannot_be_had(
    hub: Hub, page: Make
) -> None:
    hub.faults.arm("status", route="hardware", status=500, times=-1)

    assert sentences(page()) == []
    assert "'zero-a10g'" in sentences(page(flavors="[zero-a10g]"))[0]


def test_a_missing_token_is_said_in_one_sentence(
    hub: Hub, page: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN")

    (problem,) = preflight(page())

    assert problem.sentence == "No Hugging Face token was found."
    assert f"{hub.endpoint}/settings/tokens" in str(problem.hint)


def test_a_bad_token_is_said_in_one_sentence(
    hub: Hub, page: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")

    (problem,) = preflight(page())

    assert "401" in problem.sentence


@pytest.mark.parametrize("role", ["read", "fineGrained"])
def test_a_token_that_may_not_start_jobs_is_a_problem(
    hub: Hub, page: Make, monkeypatch: pytest.MonkeyPatch, role: str
) -> None:
    monkeypatch.setenv("HF_TOKEN", hub.account.issue(role))

    (problem,) = preflight(page())

    assert problem.sentence.startswith("The token may not start jobs in me")


def test_a_foreign_namespace_is_a_problem(hub: Hub, page: Make) -> None:
    assert sentences(page(namespace="namespace: my-org")) == []
    (sentence,) = sentences(page(namespace="namespace: other"))
    assert sentence.startswith("The namespace other is unknown")


def test_a_gated_model_is_a_problem_and_an_unknown_one_a_warning(hub: Hub, page: Make) -> None:
    hub.repos.add("model", "meta/gated", gated="manual")
    hub.repos.add("dataset", "d/open")

    found = preflight(page(models="[meta/gated, meta/none]", datasets="[d/open]"))

    assert [(p.sentence, p.warning) for p in found] == [
        ("meta/gated is gated, and this token has no access to it.", False),
        ("The Hub does not know the model meta/none.", True),
    ]
    hub.repos.get("model", "meta/gated").granted = True
    assert preflight(page(models="[meta/gated]")) == []


def test_a_hub_that_is_away_is_said_once(
    hub: Hub, page: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")

    (problem,) = preflight(page())

    assert "cannot be reached" in problem.sentence

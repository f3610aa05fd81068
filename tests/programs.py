"""Pages for the tests: a sound one, and the same with a block replaced."""

from __future__ import annotations

SOUND = {
    "Sweep": "name: demo",
    "Goal": "metric: eval_loss\ndirection: minimize",
    "Scope": "models: [Qwen/Qwen2-0.5B]",
    "Training": "script: train.py\nargs: [--model, Qwen/Qwen2-0.5B]",
    "Search space": "lr: {low: 1e-5, high: 1e-3, log: true}\npeft: [lora, none]",
    "Budget envelope": "max_jobs: 12\nmax_walltime: 8h\nmax_timeout: 2h",
}


def page(**replaced: str | None) -> str:
    """A page with blocks replaced (`search_space="…"`), or left out (`scope=None`)."""
    by_key = {heading.lower().replace(" ", "_"): heading for heading in SOUND}
    bodies: dict[str, str | None] = {**SOUND}
    bodies |= {
        by_key.get(key, by_key.get(f"{key}_envelope", key)): v for key, v in replaced.items()
    }
    return "# A sweep\n\n" + "\n".join(
        f"## {heading}\n```yaml\n{body}\n```\n"
        for heading, body in bodies.items()
        if body is not None
    )


def line_of(text: str, part: str) -> int:
    """The line of the page that begins with a part, or else on which it stands first."""
    at = text.find(f"\n{part}") + 1 or text.index(part)
    return text[:at].count("\n") + 1


#: The format as the design shows it, word for word.
EXAMPLE = """\
## Sweep
```yaml
name: capybara-sft           # this whole block is optional; name: default the folder's
executor: hf                 # local (default) or hf; fixed at the first run, recorded with each job
storage: postgresql+psycopg://…     # optional; default runs/sweep.db
```
## Goal
```yaml
metric: eval_loss            # the name that the training script reports
direction: minimize          # or maximize
value: last                  # or best: which reading of a trial's curve counts
target: 1.35                 # optional: stop when reached and confirmed
patience: 8                  # optional: stop after so many finished trials (complete or pruned) without a real improvement
min_gain_per_usd: 0.002      # optional: stop when the money left cannot be expected to buy this
```
## Scope
```yaml
models: [Qwen/Qwen2-0.5B]
datasets: [trl-lib/Capybara]
output_repos: ["me/sweep-*"] # where trials may push
frozen_script: false         # true: a changed script needs a new approval
```
## Training
```yaml
script: train.py             # or `command: [...]`
args: [--model, Qwen/Qwen2-0.5B, --hub_model_id, "{output_repo}", --output_dir, "{output_dir}"]   # {trial}, {seed} too
parameters: args             # args (--name value), env (NAME=value), json (SWEEPER_PARAMS only), constants (top-level NAME = literal in the shipped copy)
files: [data/, model.py]     # optional: goes along with the script
dependencies: [trl, peft]    # optional, for `uv run`; also image, python, env, secrets (names only), volumes
gpus_per_trial: 1            # optional, local: each trial in flight gets devices of its own
launcher: [accelerate, launch]      # optional, in front of the script
evaluate: eval.py            # optional: the champion is confirmed by this script in a job of its own, on what the trial left or pushed; its reading is the one announced
namespace: my-org            # optional, for hf; also resource_group. Never chosen by the model
resource: {name: step, max: 800}    # optional: the axis of intermediate values, for pruning; fractions (epochs) are scaled to whole numbers
```
## Search space
```yaml
learning_rate: {low: 1e-6, high: 1e-3, log: true, default: 2e-5}
peft:          {choices: [lora, none], default: lora}
lora_r:        {low: 4, high: 64, log: true, when: {peft: lora}}     # whole numbers because the bounds are
scheduler:     [cosine, linear, constant]
constraints:   ["per_device_batch * accumulation == 64"]             # reserved name, optional
```
## Budget envelope
```yaml
max_jobs: 12                 # jobs this sweep may start; every attempt that ran counts
max_walltime: 8h             # sum of job run time ("2h30m", "1.5h", "90m", seconds)
max_cost: 25                 # optional, USD
max_elapsed: 24h             # optional, calendar time
allowed_flavors: [t4-small, a10g-large]   # the first is used, the others are fallbacks; optional for local
max_timeout: 2h              # per job
max_parallel: 2              # jobs in flight; default 1
allow_deletes: false
```
"""  # noqa: E501 - word for word

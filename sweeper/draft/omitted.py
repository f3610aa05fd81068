"""Settings that are no hyperparameters: what a sweep leaves alone, and why.

Asked only about names that the table of ranges does not know, and about the few that it must not.
"""

from __future__ import annotations

import re

PLACE = "a place, not a hyperparameter"
SEED = "the seed: each trial gets its own"

_RESULTS = frozenset(
    {
        *("output_dir", "out_dir", "outdir", "output_path", "output", "out", "save_dir"),
        *("save_path", "checkpoint_dir", "ckpt_dir", "logging_dir", "log_dir", "logdir"),
        *("results_dir", "result_dir", "work_dir", "workdir", "model_dir"),
    }
)
_SEEDS = frozenset({"seed", "random_seed", "random_state", "rng_seed", "manual_seed"})
_REPOSITORIES = frozenset({"hub_model_id", "push_to", "hub_repo", "hub_repo_id", "repo_id"})

_LIKE_THE_RATE = "tuning it is much like tuning the rate (arXiv:2106.09685, section 4.1)"

#: Reason -> names.
_REASONS: tuple[tuple[str, str], ...] = (
    (_LIKE_THE_RATE, "lora_alpha"),
    ("follows the learning rate", "(final|min|end)_lr|lr_(min|end|final)|min_learning_rate"),
    (
        "the training's length",
        "max_steps|(num_|total_|train_)?steps|max_iters|(num_)?iterations|n_iter",
    ),
    (
        "which model is trained",
        "(.*_)?(model|tokenizer)(_name.*|_id|_type)?|arch.*|backbone|checkpoint|ckpt",
    ),
    (
        PLACE,
        ".*(path|_dir|_file|folder|root|filename)|data|data_?set.*|.*_data|file|dir|input|"
        "input_files?",
    ),
    ("the Hub's business", "hub_.*|push_to_hub|repo.*|private|(.*_)?token|api_key"),
    (
        "logging",
        "log.*|verbose|quiet|report_to|wandb.*|project.*|run_name|name|experiment.*|tags?|entity|"
        "disable_tqdm|print_.*|track.*|debug.*",
    ),
    (
        "how the training is watched",
        "(eval|save|test|val|valid|checkpoint)(_.*)?|per_device_eval_batch_size|do_.*|load_best.*|"
        "metric_for_best.*|patience|early_stop.*|.*_every|.*_(interval|freq|frequency)",
    ),
    (
        "the machine",
        "device.*|(num_)?gpus?|(no_|use_)?(cuda|cpu|gpu|mps)|accelerator|fp16|bf16|amp|precision|"
        "(.*_)?dtype|mixed_precision|compile|(local_)?rank|world_size|backend|deepspeed|fsdp.*|"
        "distributed|tf32|host|port|(.*_)?(num_)?workers|(.*_)?num_proc|n_jobs|threads|"
        "(.*_)?pin_memory|prefetch.*|gradient_checkpointing|dist_.*",
    ),
    (
        "how the script is run",
        "resume.*|(.*_)?config(_file)?|overwrite.*|force|cache.*|download|mode|task|command|action|"
        "(.*_)?split|fold|version|trust_remote_code|(.*_)?revision",
    ),
    (
        "changes the task that the metric is measured on",
        "max_(seq_)?len(gth)?|seq_len.*|block_size|context.*|(image|img)_size|vocab.*|"
        "(num|n)_classes|(input|output)_(size|dim)|channels|limit|max_(train_)?samples|"
        "num_samples|subset|loss|criterion|target",
    ),
)
_PATTERNS = tuple((why, re.compile(f"(?:{names})\\Z")) for why, names in _REASONS)


def reason(name: str) -> str | None:
    """Return why a name is left out of a search space, or None."""
    name = name.lower()
    if name in _SEEDS:
        return SEED
    if template(name) is not None:
        return PLACE
    return next((why for why, pattern in _PATTERNS if pattern.match(name)), None)


def template(name: str) -> str | None:
    """Return what `args` fills in for a setting: the output folder, the seed, a repository."""
    name = name.lower()
    if name in _RESULTS:
        return "{output_dir}"
    if name in _SEEDS:
        return "{seed}"
    return "{output_repo}" if name in _REPOSITORIES else None

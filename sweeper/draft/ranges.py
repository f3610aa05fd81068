"""Ranges for the field's usual hyperparameters, each a function that cites where it comes from.

A function gets the script's own default and the setting, and returns a range, or None where the
name means something else. `fitting.py` widens the range until the default lies inside. A range is
where to look first, not a truth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field
from typing import Literal

from sweeper.program import Scalar

Number = int | float
#: How the weights come about; "either" when a switch between full and LoRA is swept itself.
Method = Literal["scratch", "full", "lora", "either"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What is known of a training as a whole.

    Attributes:
        method: Training from scratch, fine-tuning of all weights, LoRA, or either of the latter.
        billions: Parameters of the pretrained model in billions, or None.
        preference: Whether it learns from preferences or rewards rather than from examples.
        online: Whether it samples from the model while it learns.
        sgd: Whether plain stochastic gradient descent is the optimizer.
        boosting: Whether it grows trees.
    """

    method: Method = "scratch"
    billions: float | None = None
    preference: bool = False
    online: bool = False
    sgd: bool = False
    boosting: bool = False


@dataclass(frozen=True, slots=True)
class Range:
    """Where to search, and why there.

    Attributes:
        reason: One line, with its source.
        low: Smallest number, or None for choices.
        high: Largest number, or None for choices.
        log: Whether to search by order of magnitude.
        choices: The values of a set, or None.
        default: The value of the first trial.
        when: Parent -> values under which the parameter matters.
    """

    reason: str
    low: Number | None = None
    high: Number | None = None
    log: bool = False
    choices: tuple[Scalar, ...] | None = None
    default: Scalar = None
    when: Mapping[str, tuple[Scalar, ...]] = field(default_factory=dict)


_Maker = Callable[[Number | None, Setting], Range | None]


def learning_rate(default: Number | None, setting: Setting) -> Range:
    """By method and model size; the middle is the geometric mean.

    From scratch: Adam's 1e-3 (arXiv:1412.6980), SGD's 0.1 (arXiv:1706.02677). Full fine-tuning:
    2e-5 at 7 billion weights (arXiv:2307.09288, section 3.1), with size to the power -0.3, the
    slope of GPT-3's table 2.1 (arXiv:2005.14165). Preferences: a tenth of it (1e-6,
    arXiv:2305.18290, appendix B). LoRA: ten times full fine-tuning at any rank (Schulman et al.,
    "LoRA Without Regret", Thinking Machines 2025).
    """
    if setting.boosting:
        return tree_rate(default, setting)
    if setting.method == "scratch":
        if setting.sgd:
            return Range("SGD: around 0.1 (arXiv:1706.02677)", 1e-3, 1.0, log=True, default=0.1)
        return Range("Adam: around 1e-3 (arXiv:1412.6980)", 1e-4, 1e-2, log=True, default=1e-3)
    full = 2e-5 * ((setting.billions or 1.0) / 7) ** -0.3 * (0.1 if setting.preference else 1)
    size = f"{setting.billions:g}B weights" if setting.billions else "about 1B weights assumed"
    middles = {"full": (full, full), "lora": (10 * full, 10 * full), "either": (full, 10 * full)}
    low, high = middles[setting.method]
    lora = "LoRA takes about ten times full fine-tuning (LoRA Without Regret, 2025)"
    reason = f"fine-tuning, {size}: 2e-5 at 7B (arXiv:2307.09288)"
    reason = reason if setting.method == "full" else f"{lora}; {size}"
    return Range(reason, low / 10, high * 10, log=True, default=math.sqrt(low * high))


def weight_decay(default: Number | None, setting: Setting) -> Range:
    """Decoupled decay: arXiv:1711.05101; 0.1 for language models; SGD 1e-4 (arXiv:1512.03385)."""
    if default == 0:
        return Range("off by default; AdamW, arXiv:1711.05101", 0.0, 0.1, default=0.0)
    if setting.sgd:
        return Range("SGD: around 1e-4 (arXiv:1512.03385)", 1e-6, 1e-2, log=True, default=1e-4)
    return Range("AdamW, arXiv:1711.05101", 1e-4, 0.3, log=True, default=1e-2)


def batch_size(default: Number | None, setting: Setting) -> Range | None:
    """Powers of two around the default; small ones generalise (arXiv:1804.07612), memory ends it.

    LoRA bears large batches less well than full fine-tuning (LoRA Without Regret, 2025). Where a
    model learns from its own texts, a batch must hold whole groups of them: left alone.
    """
    if setting.online:
        return None
    middle = int(default or (8 if setting.method != "scratch" else 64))
    return Range("around the default (arXiv:1804.07612)", choices=_doubles(middle), default=middle)


def accumulation(default: Number | None, setting: Setting) -> Range:
    """Multiplies the batch without its memory (arXiv:1806.00187)."""
    middle = int(default or 4)
    choices = tuple(sorted({1, 2, 4, 8, middle}))
    return Range("times the batch (arXiv:1806.00187)", choices=choices, default=middle)


def warmup_share(default: Number | None, setting: Setting) -> Range:
    """6 % in RoBERTa (arXiv:1907.11692), 5 of 90 epochs in arXiv:1706.02677."""
    return Range("a share of the steps; 6 % in arXiv:1907.11692", 0.0, 0.2, default=0.06)


def warmup_steps(default: Number | None, setting: Setting) -> Range:
    """Gradual warm-up (arXiv:1706.02677), up to a hundred steps or four times the default."""
    if isinstance(default, float) and 0 < default < 1:
        return warmup_share(default, setting)
    middle = int(default or 0)
    high = max(100, 4 * middle)
    return Range("gradual warm-up (arXiv:1706.02677)", 0, high, default=middle)


def rank(default: Number | None, setting: Setting) -> Range | None:
    """Ranks of 1 to 64 do alike in arXiv:2106.09685, table 6. Elsewhere it numbers processes."""
    if setting.method not in ("lora", "either"):
        return None
    return Range("arXiv:2106.09685, table 6", 4, 64, log=True, default=16)


def dropout(default: Number | None, setting: Setting) -> Range:
    """0.5 for hidden units (arXiv:1207.0580); transformers and fine-tuning take 0.1 or less."""
    if setting.method == "scratch":
        return Range("up to 0.5 for hidden units (arXiv:1207.0580)", 0.0, 0.5, default=0.1)
    return Range("0.1 at most in pretrained models (arXiv:1810.04805)", 0.0, 0.2, default=0.1)


def lora_dropout(default: Number | None, setting: Setting) -> Range:
    """0.1 for small and 0.05 for large models (arXiv:2305.14314, appendix B)."""
    return Range("0.05 to 0.1 in arXiv:2305.14314", 0.0, 0.2, default=0.05)


def momentum(default: Number | None, setting: Setting) -> Range:
    """0.9 to 0.99 (Sutskever et al., ICML 2013)."""
    low = 0.0 if default is not None and default < 0.5 else 0.5
    return Range("0.9 to 0.99 (Sutskever et al., ICML 2013)", low, 0.99, default=0.9)


def beta1(default: Number | None, setting: Setting) -> Range:
    """0.9 (arXiv:1412.6980)."""
    return Range("Adam: 0.9 (arXiv:1412.6980)", 0.8, 0.99, default=0.9)


def beta2(default: Number | None, setting: Setting) -> Range:
    """0.999 (arXiv:1412.6980), 0.98 (arXiv:1706.03762), 0.95 (arXiv:2005.14165)."""
    return Range("0.999 (arXiv:1412.6980) to 0.95 (arXiv:2005.14165)", 0.9, 0.9999, default=0.999)


def adam_epsilon(default: Number | None, setting: Setting) -> Range:
    """Matters when it is tuned with the rate (arXiv:1910.05446). Of PPO it is the clipping."""
    if default is not None and default >= 0.01:
        return Range("clipping of the ratio, 0.1 to 0.3 (arXiv:1707.06347)", 0.1, 0.3)
    return Range("Adam's, arXiv:1910.05446", 1e-10, 1e-5, log=True, default=1e-8)


def label_smoothing(default: Number | None, setting: Setting) -> Range:
    """0.1 (arXiv:1512.00567)."""
    return Range("0.1 in arXiv:1512.00567", 0.0, 0.2, default=0.0)


def gradient_clip(default: Number | None, setting: Setting) -> Range | None:
    """Around 1 (arXiv:1211.5063); 0 means none and stays."""
    if default == 0:
        return None
    return Range("around 1 (arXiv:1211.5063)", 0.1, 10.0, log=True, default=1.0)


def epochs(default: Number | None, setting: Setting) -> Range:
    """Fine-tuning: 2 to 4 (arXiv:1810.04805, appendix A.3); else half to double the default."""
    if setting.method != "scratch":
        return Range("2 to 4 in arXiv:1810.04805, A.3", 1, 5, default=3)
    middle = max(2, int(default or 10))
    return Range("half to double the default", middle // 2, 2 * middle, default=middle)


def width(default: Number | None, setting: Setting) -> Range:
    """Half and double the default; the best rate falls as it grows (arXiv:2203.03466)."""
    middle = int(default or 128)
    choices = tuple(sorted({max(1, middle // 2), middle, 2 * middle}))
    return Range("the rate falls as it grows (arXiv:2203.03466)", choices=choices, default=middle)


def depth(default: Number | None, setting: Setting) -> Range:
    """Half to double the default."""
    middle = max(1, int(default or 2))
    return Range("half to double the default", max(1, middle // 2), 2 * middle, default=middle)


def heads(default: Number | None, setting: Setting) -> Range:
    """Heads of 32 to 128 numbers each are usual (arXiv:1706.03762, table 3)."""
    middle = max(1, int(default or 4))
    choices = tuple(sorted({max(1, middle // 2), middle, 2 * middle}))
    return Range("arXiv:1706.03762, table 3", choices=choices, default=middle)


def preference_beta(default: Number | None, setting: Setting) -> Range | None:
    """0.1, and 0.5 for summaries (arXiv:2305.18290); online methods go down to 0."""
    if not setting.preference:
        return None
    if setting.online:
        return Range("weight of the KL term; 0 is usual in GRPO (arXiv:2503.14476)", 0.0, 0.1)
    return Range("0.1 to 0.5 in arXiv:2305.18290", 0.01, 0.5, log=True, default=0.1)


def temperature(default: Number | None, setting: Setting) -> Range | None:
    """Of sampling, where a model learns from its own texts (arXiv:2501.12948 takes 0.6 to 1)."""
    return Range("of sampling; 0.6 to 1 in arXiv:2501.12948", 0.6, 1.2) if setting.online else None


def embedding_noise(default: Number | None, setting: Setting) -> Range:
    """5, 10 or 15 (arXiv:2310.05914)."""
    return Range("5 to 15 in arXiv:2310.05914", 0.0, 15.0, default=0.0)


def mixing(default: Number | None, setting: Setting) -> Range:
    """0.1 to 0.4 on ImageNet (arXiv:1710.09412)."""
    return Range("0.1 to 0.4 in arXiv:1710.09412", 0.0, 1.0, default=0.2)


def tree_rate(default: Number | None, setting: Setting) -> Range:
    """Boosting: 2^-10 to 1 (arXiv:1802.09596, table 1)."""
    return Range("boosting: arXiv:1802.09596, table 1", 1e-3, 1.0, log=True, default=0.1)


def trees(default: Number | None, setting: Setting) -> Range:
    """Up to 5,000 (arXiv:1802.09596, table 1); a tenth of that is quick."""
    return Range("arXiv:1802.09596, table 1", 50, 1000, log=True, default=200)


def tree_depth(default: Number | None, setting: Setting) -> Range:
    """1 to 15 (arXiv:1802.09596, table 1)."""
    return Range("1 to 15 in arXiv:1802.09596, table 1", 2, 15, default=6)


def sampled_share(default: Number | None, setting: Setting) -> Range:
    """Rows or columns of a tree: 0.1 to 1 (arXiv:1802.09596, table 1)."""
    return Range("0.1 to 1 in arXiv:1802.09596, table 1", 0.1, 1.0, default=1.0)


def child_weight(default: Number | None, setting: Setting) -> Range:
    """1 to 2^7 (arXiv:1802.09596, table 1)."""
    return Range("1 to 128 in arXiv:1802.09596, table 1", 1, 128, log=True, default=1)


def penalty(default: Number | None, setting: Setting) -> Range:
    """2^-10 to 2^10 (arXiv:1802.09596, table 1)."""
    if default == 0:
        return Range("off by default; arXiv:1802.09596, table 1", 0.0, 10.0, default=0.0)
    return Range("arXiv:1802.09596, table 1", 1e-3, 1e3, log=True, default=1.0)


def _doubles(middle: int) -> tuple[int, ...]:
    """Return a batch size between its quarter and its fourfold, in doublings."""
    sizes = (middle // 4, middle // 2, middle, middle * 2, middle * 4)
    return tuple(sorted({size for size in sizes if size > 0}))


#: Every name that the field uses -> its function.
TABLE: Mapping[str, _Maker] = {
    name: maker
    for names, maker in (
        (
            "learning_rate lr base_lr max_lr peak_lr init_lr initial_lr lr0",
            learning_rate,
        ),
        ("weight_decay wd weightdecay l2", weight_decay),
        ("batch_size bs batchsize train_batch_size per_device_train_batch_size", batch_size),
        ("per_device_batch_size per_device_batch micro_batch_size mini_batch_size", batch_size),
        ("gradient_accumulation_steps grad_accum accumulation grad_accum_steps", accumulation),
        ("accumulate_grad_batches accumulation_steps", accumulation),
        ("warmup_ratio warmup_fraction warmup_frac warmup_share pct_start", warmup_share),
        ("warmup_steps num_warmup_steps warmup warmup_iters", warmup_steps),
        ("lora_r lora_rank rank r", rank),
        ("lora_dropout", lora_dropout),
        ("dropout dropout_rate drop_rate p_drop hidden_dropout attention_dropout", dropout),
        ("momentum", momentum),
        ("beta1 adam_beta1", beta1),
        ("beta2 adam_beta2", beta2),
        ("adam_epsilon eps epsilon", adam_epsilon),
        ("label_smoothing label_smoothing_factor smoothing", label_smoothing),
        ("max_grad_norm grad_clip gradient_clip clip_grad clip_norm clip", gradient_clip),
        ("gradient_clip_val clip_grad_norm max_norm", gradient_clip),
        ("epochs num_epochs n_epochs max_epochs num_train_epochs", epochs),
        ("hidden_size hidden hidden_dim hidden_units hidden_channels d_model", width),
        ("n_embd embed_dim embedding_dim width dim n_hidden num_hidden", width),
        ("num_layers n_layers n_layer layers depth num_hidden_layers", depth),
        ("num_heads n_heads n_head heads nhead num_attention_heads", heads),
        ("beta dpo_beta", preference_beta),
        ("temperature", temperature),
        ("neftune_noise_alpha", embedding_noise),
        ("mixup mixup_alpha cutmix cutmix_alpha", mixing),
        ("eta", tree_rate),
        ("n_estimators num_boost_round num_trees n_trees", trees),
        ("max_depth", tree_depth),
        ("subsample colsample_bytree colsample_bylevel bagging_fraction", sampled_share),
        ("feature_fraction max_features", sampled_share),
        ("min_child_weight min_samples_leaf min_data_in_leaf min_child_samples", child_weight),
        ("reg_lambda reg_alpha lambda_l1 lambda_l2 c alpha_l1 alpha_l2", penalty),
    )
    for name in names.split()
}

#: Names whose values are words; what a script lists as choices is taken as it is.
CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "optimizer": (),
    "optim": (),
    "opt": (),
    "scheduler": (),
    "schedule": (),
    "lr_scheduler": (),
    "lr_schedule": (),
    "activation": (),
    "lr_scheduler_type": ("linear", "cosine", "constant_with_warmup"),
    "use_peft": (),
    "use_lora": (),
    "nesterov": (),
    "booster": (),
    "kernel": (),
    "pooling": (),
    "norm": (),
}


def knows(name: str) -> bool:
    """Tell whether a name is one that the field gives to a hyperparameter."""
    return name.lower() in TABLE or name.lower() in CATEGORIES

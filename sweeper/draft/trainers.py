"""Hyperparameters of the trainers' configuration classes, which the libraries declare themselves.

Defaults as in transformers 5 (`TrainingArguments`) and TRL 1 (its configuration classes); only
the fields that are worth a sweep. A test compares them with the installed releases.
"""

from __future__ import annotations

from collections.abc import Mapping

from sweeper.program import Scalar

_TRAINING: Mapping[str, Scalar] = {
    "learning_rate": 5e-5,
    "lr_scheduler_type": "linear",
    "warmup_steps": 0,
    "weight_decay": 0.0,
    "per_device_train_batch_size": 8,
    "gradient_accumulation_steps": 1,
    "num_train_epochs": 3.0,
    "max_grad_norm": 1.0,
    "adam_beta2": 0.999,
    "label_smoothing_factor": 0.0,
}
# Label smoothing is refused or ignored by trainers that bring their own loss.
_TRL = {name: value for name, value in _TRAINING.items() if name != "label_smoothing_factor"}
_ONLINE = {"temperature": 1.0, "epsilon": 0.2, "num_iterations": 1}

#: Class -> field -> default.
FIELDS: Mapping[str, Mapping[str, Scalar]] = {
    "TrainingArguments": _TRAINING,
    "Seq2SeqTrainingArguments": _TRAINING,
    "SFTConfig": {**_TRL, "learning_rate": 2e-5},
    "DPOConfig": {**_TRL, "learning_rate": 1e-6, "beta": 0.1},
    "KTOConfig": {**_TRL, "learning_rate": 1e-6, "beta": 0.1},
    "RewardConfig": {**_TRL, "learning_rate": 1e-4},
    "GRPOConfig": {**_TRL, "learning_rate": 1e-6, "beta": 0.0, **_ONLINE},
    "RLOOConfig": {**_TRL, "learning_rate": 1e-6, "beta": 0.05, **_ONLINE},
    "ModelConfig": {"use_peft": False, "lora_r": 16, "lora_alpha": 32, "lora_dropout": 0.05},
}

#: Classes that decide how a run is set up: the output folder, the seed, the evaluation.
RUN_CONFIGS = frozenset(FIELDS) - {"ModelConfig"}
#: TRL's names of the data, without a hyperparameter among them.
SCRIPT_ARGUMENTS = "ScriptArguments"
KNOWN = frozenset(FIELDS) | {SCRIPT_ARGUMENTS}
#: Classes whose training starts from preferences or rewards, far below the rates of imitation.
PREFERENCE = frozenset({"DPOConfig", "KTOConfig", "GRPOConfig", "RLOOConfig"})
ONLINE = frozenset({"GRPOConfig", "RLOOConfig"})

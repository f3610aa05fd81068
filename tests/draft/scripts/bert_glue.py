"""Sequence classification with a Trainer and dataclasses of its own."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field
from typing import Literal

from datasets import load_dataset
from transformers import AutoModelForSequenceClassification
from transformers import HfArgumentParser
from transformers import Trainer
from transformers import TrainingArguments


@dataclass
class ModelArguments:
    """Settings."""

    model_name_or_path: str = field(default="google-bert/bert-base-cased", metadata={"help": "x"})
    dropout: float = field(default=0.1)
    pooling: Literal["cls", "mean", "max"] = "cls"
    freeze_embeddings: bool = False


@dataclass
class DataArguments:
    """Settings."""

    task_name: str | None = None
    max_seq_length: int = 128
    label_names: list[str] = field(default_factory=list)


@dataclass
class Extra(TrainingArguments):
    """Settings."""

    output_dir: str = "out"
    learning_rate: float = 3e-5
    layer_decay: float = 0.95


def main():
    """Train."""
    parser = HfArgumentParser((ModelArguments, DataArguments, Extra))
    model_args, data_args, training_args = parser.parse_args_into_dataclasses()
    data = load_dataset("nyu-mll/glue", data_args.task_name)
    model = AutoModelForSequenceClassification.from_pretrained(model_args.model_name_or_path)
    training_args.metric_for_best_model = "accuracy"
    trainer = Trainer(
        model=model,
        args=training_args,
        train_dataset=data["train"],
        eval_dataset=data["validation"],
        compute_metrics=lambda p: {"accuracy": 0.0},
    )
    trainer.train()
    print(trainer.evaluate())


if __name__ == "__main__":
    main()

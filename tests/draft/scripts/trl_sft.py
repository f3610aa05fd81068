"""Supervised fine-tuning in the form of TRL's own scripts."""

from datasets import load_dataset
from trl import ModelConfig
from trl import ScriptArguments
from trl import SFTConfig
from trl import SFTTrainer
from trl import TrlParser
from trl import get_peft_config

parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig))
script_args, training_args, model_args = parser.parse_args_and_config()
dataset = load_dataset(script_args.dataset_name)
trainer = SFTTrainer(
    model=model_args.model_name_or_path,
    args=training_args,
    train_dataset=dataset["train"],
    eval_dataset=dataset["test"],
    peft_config=get_peft_config(model_args),
)
trainer.train()

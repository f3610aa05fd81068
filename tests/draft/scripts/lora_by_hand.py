"""PEFT without TRL's parser; one option is required."""

import argparse

from peft import LoraConfig
from peft import get_peft_model
from transformers import AutoModelForCausalLM
from transformers import Trainer
from transformers import TrainingArguments

parser = argparse.ArgumentParser()
parser.add_argument("--base_model", default="meta-llama/Llama-3.1-8B")
parser.add_argument("--data_path", type=str, required=True)
parser.add_argument("--learning_rate", type=float, required=True)
parser.add_argument("--micro_batch_size", type=int, default=4)
parser.add_argument("--num_epochs", type=int, default=3)
parser.add_argument("--lora_r", type=int, default=8)
parser.add_argument("--lora_alpha", type=int, default=16)
parser.add_argument("--lora_dropout", type=float, default=0.05)
parser.add_argument("--target_modules", nargs="+", default=["q_proj"])
parser.add_argument("--train_on_inputs", type=bool, default=True)
parser.add_argument("--output_dir", default="./out")
args = parser.parse_args()
model = AutoModelForCausalLM.from_pretrained(args.base_model)
model = get_peft_model(model, LoraConfig(r=args.lora_r))
trainer = Trainer(model, TrainingArguments(args.output_dir), train_dataset=[], eval_dataset=[])
trainer.train()

"""Learning from a reward, with the classes in a variable."""

import trl
from datasets import load_dataset


def reward(completions, **kwargs):
    """Reward long texts."""
    return [float(len(text)) for text in completions]


if __name__ == "__main__":
    classes = (trl.ScriptArguments, trl.GRPOConfig, trl.ModelConfig)
    script, training, model = trl.TrlParser(classes).parse_args_and_config()
    trainer = trl.GRPOTrainer(
        model="Qwen/Qwen2.5-1.5B-Instruct",
        args=training,
        reward_funcs=reward,
        train_dataset=load_dataset("trl-lib/tldr", split="train"),
    )
    trainer.train()

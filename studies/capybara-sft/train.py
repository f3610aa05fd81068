# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "trl>=1.16,<2",
#   "transformers>=5,<6",
#   "peft>=0.18,<1",
#   "datasets>=4",
#   "accelerate>=1",
#   "torch>=2.6",
# ]
# ///
"""Fine-tune a language model on conversations with TRL, with a LoRA adapter where asked for.

Every field of TRL's ScriptArguments, SFTConfig and ModelConfig is an argument, so whatever
program.md names is understood. The evaluation loss is taken on the data set's own test split and
logged by the trainer. With `--push_to_hub true` the adapter goes to `--hub_model_id`.
"""

from datasets import load_dataset
from trl import ModelConfig
from trl import ScriptArguments
from trl import SFTConfig
from trl import SFTTrainer
from trl import TrlParser
from trl import get_peft_config


def main():
    parser = TrlParser((ScriptArguments, SFTConfig, ModelConfig))
    script, training, model = parser.parse_args_and_config()
    training.model_init_kwargs = {"revision": model.model_revision, "dtype": model.dtype}
    conversations = load_dataset(script.dataset_name, name=script.dataset_config)
    trainer = SFTTrainer(
        model=model.model_name_or_path,
        args=training,
        train_dataset=conversations[script.dataset_train_split],
        eval_dataset=conversations[script.dataset_test_split],
        peft_config=get_peft_config(model),
    )
    trainer.train()
    # Saving also uploads the adapter, and returns when it has arrived, if --push_to_hub is set.
    trainer.save_model(training.output_dir)


if __name__ == "__main__":
    main()

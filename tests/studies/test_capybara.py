"""LoRA fine-tuning with TRL, for real and offline: a tiny random model, conversations of ours."""

from __future__ import annotations

import importlib.util
import json
import random
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeper import program
from sweeper.draft import attempt
from sweeper.draft.findings import Findings
from sweeper.jobs import metrics
from tests.studies.shipped import changed
from tests.studies.shipped import copied

pytestmark = pytest.mark.torch
if not all(importlib.util.find_spec(name) for name in ("transformers", "trl", "peft", "datasets")):
    pytest.skip("the extra `torch` is not installed", allow_module_level=True)

TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
)


def conversations(count: int) -> list[dict[str, list[dict[str, str]]]]:
    """Return sums in words of our own."""
    dice = random.Random(7)
    made = []
    for _ in range(count):
        a, b = dice.randint(1, 9), dice.randint(1, 9)
        question = {"role": "user", "content": f"What is {a} and {b}?"}
        answer = {"role": "assistant", "content": f"{a} and {b} make {a + b}."}
        made.append({"messages": [question, answer]})
    return made


def write_data(folder: Path, rows: list[dict[str, list[dict[str, str]]]]) -> None:
    """Write a data set with a training and a test split."""
    folder.mkdir()
    for name, part in (("train", rows[:32]), ("test", rows[32:])):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part))


def write_model(folder: Path, texts: Iterator[str]) -> None:
    """Write a randomly initialised model of the same architecture, with a tokenizer of its own."""
    from tokenizers import Tokenizer
    from tokenizers import decoders
    from tokenizers import models
    from tokenizers import pre_tokenizers
    from tokenizers import trainers
    from transformers import PreTrainedTokenizerFast
    from transformers import Qwen2Config
    from transformers import Qwen2ForCausalLM

    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    words.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=300, special_tokens=special, initial_alphabet=alphabet, show_progress=False
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token="<|endoftext|>", pad_token="<|endoftext|>"
    )
    tokenizer.chat_template = TEMPLATE
    tokenizer.save_pretrained(folder)
    sizes = {"hidden_size": 32, "intermediate_size": 64, "max_position_embeddings": 128}
    heads = {"num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = Qwen2Config(vocab_size=len(tokenizer), **sizes, **heads)
    Qwen2ForCausalLM(config).save_pretrained(folder)


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the study that trains a tiny model for four steps, on this machine."""
    home = tmp_path_factory.mktemp("capybara")
    folder = copied("capybara-sft", home)
    rows = conversations(40)
    write_data(home / "data", rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        write_model(home / "model", (m["content"] for row in rows for m in row["messages"]))
    changed(
        folder / "program.md",
        **{
            "executor: hf": "executor: local",
            "  - Qwen/Qwen2-0.5B\n": f"  - {home / 'model'}\n",
            "  - trl-lib/Capybara\n": f"  - {home / 'data'}\n",
            '"1024"': '"64"',
            '--gradient_accumulation_steps\n  - "4"': '--gradient_accumulation_steps\n  - "1"',
            '"400"': '"4"',
            '"50"': '"2"',
            "step, max: 400": "step, max: 4",
            "secrets: [HF_TOKEN]": "env: {HF_HUB_OFFLINE: 1, OMP_NUM_THREADS: 1}",
            "  - --disable_tqdm\n": '  - --bf16\n  - "false"\n  - --disable_tqdm\n',
        },
    )
    return folder


@pytest.fixture(scope="module")
def tried(study: Path) -> tuple[Findings, list[str]]:
    """Return what a real run of the unmodified script showed, and its lines."""
    lines: list[str] = []
    found = attempt.run_briefly(program.load(study), 300, lines.append)
    return found, lines


def test_the_unmodified_script_trains(tried: tuple[Findings, list[str]]):
    """Four steps of LoRA end well, with every parameter of the search space accepted."""
    found, lines = tried

    assert found.exit_code == 0, "\n".join(lines[-30:])
    assert attempt.worked(found), attempt.text(found)
    assert (found.steps, found.passing.arrived) == (4, True)


def test_its_evaluation_loss_arrives_in_full_precision(tried: tuple[Findings, list[str]]):
    """The runner's callback reports each evaluation with its step; the trainer's print rounds."""
    _, lines = tried
    reader = metrics.MetricReader("eval_loss", "step")
    readings = [reading for line in lines for reading in reader.feed(line)]

    assert reader.reports == "transformers"
    assert [reading.step for reading in readings] == [2, 4]
    for reading in readings:
        assert 4 < reading.value < 8
        assert len(repr(reading.value).partition(".")[2]) > 4


def test_nothing_was_pushed(tried: tuple[Findings, list[str]]):
    """A try leaves the Hub alone."""
    found, _ = tried

    assert found.left_out == ("--push_to_hub", "true", "--hub_model_id", "{output_repo}")

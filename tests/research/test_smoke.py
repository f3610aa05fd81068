import pytest

from tests.research.conftest import Caller

CASES = [
    ("papers", "search", "lora"),
    ("papers", "trending"),
    ("papers", "details", "2106.09685"),
    ("papers", "read", "2106.09685"),
    ("papers", "read", "2106.09685", "--section", "method"),
    ("papers", "citation-graph", "2106.09685"),
    ("papers", "snippet-search", "rank"),
    ("papers", "recommend", "2106.09685"),
    ("papers", "find-datasets", "2106.09685"),
    ("papers", "find-all-resources", "2106.09685"),
    ("hf_docs", "explore", "trl", "--query", "reward functions"),
    ("hf_docs", "fetch", "trl/sft_trainer"),
    ("hf_docs", "find-api", "create a repository"),
    ("inspect_dataset", "x/sft"),
    ("inspect_dataset", "overlap", "x/sft", "--other-split", "test"),
    ("inspect_dataset", "fit", "x/share"),
    ("inspect_dataset", "balance", "x/labels"),
    ("github", "find-examples", "huggingface/trl", "--keyword", "grpo"),
    ("github", "read-file", "huggingface/trl", "examples/notebooks/grpo.ipynb"),
    ("github", "list-repos", "huggingface"),
    ("github", "search-code", "GRPO"),
]


@pytest.mark.parametrize("words", CASES, ids=" ".join)
def test_it(call: Caller, words):
    d = call(*words)
    print(d.out[:3000])
    print(d.err)
    assert d.code == 0 or words[1] == "search-code"

"""Secrets are taken out of everything that is printed; code stays readable."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.research.redaction import MARK
from sweeper.research.redaction import redact
from sweeper.research.redaction import redact_tree
from tests.doubles.services import repositories
from tests.doubles.services.loopback import Reply
from tests.doubles.services.loopback import as_json
from tests.research.conftest import Caller
from tests.research.conftest import World

LONG = "abcDEF0123456789abcDEF0123456789abcd"
SECRETS = [
    (f"hf_{LONG}", f"hf_{LONG}"),
    (f"the key sk-ant-api03-{LONG}", f"sk-ant-api03-{LONG}"),
    (f"sk-{LONG}", f"sk-{LONG}"),
    (f"sk-proj-{LONG}", f"sk-proj-{LONG}"),
    (f"ghp_{LONG}", f"ghp_{LONG}"),
    (f"github_pat_{LONG}", f"github_pat_{LONG}"),
    ("AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    (f"Authorization: Bearer {LONG}", LONG),
    (f"curl -H 'authorization: bearer {LONG}'", LONG),
    ("MY_TOKEN=plainvalue", "plainvalue"),
    ("OPENAI_API_KEY=plainvalue", "plainvalue"),
    ("DB_PASSWORD=hunter2", "hunter2"),
    ("AWS_ACCESS_KEY_ID=plainvalue", "plainvalue"),
    # the predecessor's gaps
    ('WANDB_API_KEY="quotedvalue"', "quotedvalue"),
    ("export WANDB_API_KEY='quotedvalue'", "quotedvalue"),
    ('{"api_key": "jsonvalue"}', "jsonvalue"),
    ('{"apiKey":"jsonvalue"}', "jsonvalue"),
    ("AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI"),
    ("aws_secret_access_key = wJalrXUtnFEMI/K7MDENG", "wJalrXUtnFEMI"),
    ("xoxb-123456789012-abcdefGHIJ", "xoxb-123456789012"),
    ("https://hooks.slack.com/services/T00/B00/XXXXyyyy", "T00/B00"),
    ("git clone https://user:s3cret@host.example/x", "s3cret"),
    ("https://oauth2:@host https://:tok3n@host/x", "tok3n"),
    ("postgresql://me:pa55@db/x", "pa55"),
    ('password: "letmein"', "letmein"),
    ("client_secret='abc'", "'abc'"),
    ('"token": "abc123"', "abc123"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----", "MIIE"),
    (f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.{LONG}", "eyJzdWIi"),
]
CODE = [
    'tokenizer.pad_token = "<pad>"',
    "tokenizer.pad_token = tokenizer.eos_token",
    'eos_token="</s>"',
    "max_new_tokens=512",
    "MAX_TOKENS = 512",
    "token=os.environ['HF_TOKEN']",
    'api_key = os.getenv("OPENAI_API_KEY")',
    "api_key=api_key,",
    "HF_TOKEN=$HF_TOKEN",
    "HF_TOKEN=<your token>",
    "def login(token: str | None = None)",
    "password: str",
    'IMAGE_TOKEN = "<image>"',
    "push_to_hub(token=True)",
    "task-specific skeletons",
    "Use the bearer token from your settings",
    "http://host:8080/path@v2",
    "x.secret_key(self)",
]


@pytest.mark.parametrize(("text", "secret"), SECRETS)
def test_a_secret_of_any_known_kind_is_taken_out(text: str, secret: str) -> None:
    """Every kind in the list of the predecessors, and each of their gaps."""
    found = redact(text)

    assert secret not in found
    assert MARK in found


@pytest.mark.parametrize("text", CODE)
def test_code_and_prose_stay_as_they_are(text: str) -> None:
    """Special tokens, expressions and stand-ins are no secrets."""
    assert redact(text) == text


@given(st.text(max_size=60), st.text(max_size=60))
def test_redaction_never_fails_and_is_settled_after_once(before: str, after: str) -> None:
    """Any text goes through, known secrets are gone, and a second pass changes nothing."""
    found = redact(f"{before} hf_{LONG} {after}", [LONG])

    assert LONG not in found
    assert redact(found, [LONG]) == found


def test_a_json_value_is_redacted_by_its_key() -> None:
    """In documents the key tells what a text is."""
    inner = {"WANDB_API_KEY": "y", "title": f"hf_{LONG}"}
    found = redact_tree({"api_key": "x", "a": [inner], "n": 1})

    assert found == {"api_key": MARK, "a": [{"WANDB_API_KEY": MARK, "title": MARK}], "n": 1}


def test_everything_printed_is_redacted(
    call: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Text, JSON, progress and errors: a secret in an answer or of our own never shows."""
    monkeypatch.setenv("HF_TOKEN", repositories.TOKEN)
    leaked = f"It is {repositories.TOKEN} or sk-ant-api03-{LONG}. " + "Words. " * 40
    page = Reply(200, f"# Page\n\n{leaked}".encode(), {"Content-Type": "text/markdown"})
    for words in (("hf_docs", "fetch", "trl/index"), ("hf_docs", "fetch", "trl/index", "--json")):
        world.hub.faults = [page]
        done = call(*words, "--fresh")
        assert MARK in done.out
        assert "DEF0123" not in done.out + done.err
        assert repositories.TOKEN not in done.out + done.err

    world.hub.faults = [as_json({"error": f"bad token {repositories.TOKEN}"}, 400)]
    done = call("hf_repo", "refs", "list", "me/x", "--json")
    assert done.code == 1
    assert repositories.TOKEN not in done.out + done.err


def test_a_local_file_is_not_read_for_its_secrets(call: Caller) -> None:
    """A recipe file that carries a token prints without it."""
    Path("recipes.json").write_text(f'[{{"why": "hf_{LONG}"}}]')

    done = call("papers", "recipes")

    assert done.code == 1
    assert LONG not in done.err

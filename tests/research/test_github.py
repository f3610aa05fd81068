"""GitHub: as little of an account as suffices, whole files, true orders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.research.faults import StrangeAnswerError
from sweeper.research.github import finding
from sweeper.research.github import reading
from tests.doubles.services import code
from tests.doubles.services.loopback import as_json
from tests.research.conftest import Caller
from tests.research.conftest import World


def _gh(tmp_path: Path, says: str = code.TOKEN, code_: int = 0) -> None:
    """Put a `gh` on the path that knows a token."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "gh"
    program.write_text(f"#!/bin/sh\n[ \"$1 $2\" = 'auth token' ] && echo '{says}'\nexit {code_}\n")
    program.chmod(0o755)


def _signed(world: World) -> list[bool]:
    return ["authorization" in seen.headers for seen in world.github.log]


def test_anonymous_suffices_while_it_does(
    call: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A public repository is read without the token that is at hand."""
    monkeypatch.setenv("GH_TOKEN", code.TOKEN)

    assert call("github", "find-examples", "huggingface/trl").code == 0

    assert _signed(world) == [False, False]


def test_the_token_follows_when_the_anonymous_allowance_is_used_up(
    call: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A used-up allowance is remembered: the next call begins with the token."""
    monkeypatch.setenv("GH_TOKEN", code.TOKEN)
    world.code.anonymous_left = 0

    assert call("github", "list-repos", "person").code == 0
    first = len(world.github.log)
    assert call("github", "find-examples", "huggingface/trl").code == 0

    assert _signed(world)[:2] == [False, True]
    assert all(_signed(world)[first:])


def test_gh_is_asked_last(call: Caller, world: World, tmp_path: Path) -> None:
    """Without a token in the environment, the one gh holds is used, and never printed."""
    _gh(tmp_path)
    world.code.private = True

    done = call("github", "read-file", "huggingface/trl", "README.md")

    assert done.code == 0
    assert _signed(world) == [False, True]
    assert code.TOKEN not in done.out + done.err


@pytest.mark.parametrize(("says", "code_"), [("", 0), ("not logged in {}", 0), (code.TOKEN, 1)])
def test_a_gh_that_is_not_logged_in_is_no_help(
    says: str, code_: int, call: Caller, world: World, tmp_path: Path
) -> None:
    """What gh says without a login is not sent as a token; the error says what to do."""
    _gh(tmp_path, says, code_)

    done = call("github", "search-code", "GRPO")

    assert done.code == 1
    assert "GH_TOKEN" in done.err
    assert _signed(world) == [False]


def test_a_wrong_token_is_named(
    call: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What GitHub said of the account is the error, not the first step's refusal."""
    monkeypatch.setenv("GH_TOKEN", "ghp_wrongwrongwrongwrongwrong")

    done = call("github", "search-code", "GRPO")

    assert done.code == 1
    assert "refused" in done.err


def test_examples_are_ranked_by_place_and_keyword(call: Caller) -> None:
    """Example folders first; a keyword also finds the code itself; binaries are left out."""
    plain = call.json("github", "find-examples", "huggingface/trl")["result"]["files"]
    grpo = call.json("github", "find-examples", "huggingface/trl", "--keyword", "GRPO")

    assert {item["path"].split("/")[0] for item in plain} == {"examples"}
    assert not any(item["path"].endswith((".png", ".bin")) for item in plain)
    paths = [item["path"] for item in grpo["result"]["files"]]
    assert set(paths[:2]) == {"examples/scripts/grpo_vlm.py", "examples/notebooks/grpo.ipynb"}
    assert paths[2] == "trl/trainer/grpo_trainer.py"


def test_a_listing_that_is_too_long_is_read_in_parts_and_says_so(
    call: Caller, world: World
) -> None:
    """`truncated` is not ignored: the folders of examples are read one by one."""
    world.code.truncated = True

    document = call.json("github", "find-examples", "huggingface/trl", "--keyword", "grpo")

    assert len(document["result"]["files"]) == 2
    assert "too large for one listing" in document["notes"][0]


def test_a_repository_that_is_not_there_comes_with_near_names(call: Caller) -> None:
    """The error suggests what may be meant."""
    done = call("github", "find-examples", "other/none", "--json")

    assert done.code == 1
    assert done.document["error"]["hint"] == "Near: huggingface/repo-1."


@pytest.mark.parametrize(
    ("lines", "first", "last", "more"),
    [
        (None, 1, 300, "301-600"),
        ("301-600", 301, 600, "601-700"),
        ("650-9999", 650, 700, None),
        ("700", 700, 700, None),
        ("1-", 1, 700, None),
    ],
)
def test_a_file_is_read_in_ranges_to_its_end(
    lines: str | None, first: int, last: int, more: str | None, call: Caller
) -> None:
    """Ranges are inclusive, and each names the next."""
    words = ["github", "read-file", "huggingface/trl", "examples/scripts/grpo_vlm.py"]
    document = call.json(*words, *(["--lines", lines] if lines else []))

    found = document["result"]
    assert (found["first"], found["last"], found["lines"]) == (first, last, 700)
    assert found["text"].splitlines()[0] == f"line {first}"
    assert found["text"].splitlines()[-1] == f"line {last}"
    assert [m["options"]["--lines"] for m in document["more"]] == ([more] if more else [])


def test_a_pages_address_names_file_and_lines(call: Caller) -> None:
    """The address that a browser shows is enough."""
    url = "https://github.com/huggingface/trl/blob/main/examples/scripts/grpo_vlm.py#L10-L12"

    found = call.json("github", "read-file", url)["result"]

    assert found["text"] == "line 10\nline 11\nline 12"
    assert found["ref"] == "main"


def test_a_file_over_a_megabyte_is_read_whole(call: Caller, world: World) -> None:
    """The contents form is empty above 1 MB; the raw form is not."""
    found = call.json(
        "github", "read-file", "huggingface/trl", "examples/big.txt", "--lines", "79999-"
    )

    assert found["result"]["bytes"] == len(code.FILES["examples/big.txt"]) > 1_000_000
    assert found["result"]["text"] == "row of a large file\nrow of a large file"
    assert "raw" in world.github.log[1].headers["accept"]


def test_a_notebook_reads_as_markdown_without_outputs(call: Caller) -> None:
    """Cells in order, code fenced, outputs left out."""
    found = call.json("github", "read-file", "huggingface/trl", "examples/notebooks/grpo.ipynb")

    assert found["result"]["text"] == "# Train\nwith GRPO\n\n```python\ntrainer.train()\n```"


@pytest.mark.parametrize("path", ["examples", "examples/weights.bin", "no/such.py"])
def test_what_is_no_text_file_is_said_so(path: str, call: Caller) -> None:
    """A folder lists what it holds, a binary file says its size, an absent one is absent."""
    done = call("github", "read-file", "huggingface/trl", path)

    assert done.code == 1
    assert any(word in done.err for word in ("It holds: scripts", "binary file of 200", "404"))


def test_a_file_that_came_in_part_is_refused(call: Caller, world: World) -> None:
    """Content that does not have its own size is not shown."""
    world.github.spoil = lambda seen, reply: (
        type(reply)(200, reply.body[:-9], reply.headers)
        if "raw" in seen.headers["accept"]
        else reply
    )

    assert call("github", "read-file", "huggingface/trl", "examples/big.txt").code == 1


def test_the_most_starred_is_found_among_all_repositories(call: Caller, world: World) -> None:
    """An owner with more than a page of repositories has them compared over all pages."""
    stars = call.json("github", "list-repos", "huggingface", "--limit", "2")["result"]
    forks = call.json("github", "list-repos", "huggingface", "--limit", "2", "--sort", "forks")

    assert [item["stars"] for item in stars["repositories"]] == [229, 228]
    assert [item["forks"] for item in forks["result"]["repositories"]] == [230, 229]
    assert stars["total"] == 230


def test_an_owner_may_be_a_person(call: Caller, world: World) -> None:
    """Who is no organisation is looked up as a user."""
    assert call.json("github", "list-repos", "person")["result"]["total"] == 2
    assert world.github.paths() == ["/orgs/person/repos", "/users/person/repos"]


def test_code_search_says_what_it_looked_in(
    call: Caller, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Qualifiers are those of GitHub; an incomplete answer is called so."""
    monkeypatch.setenv("GITHUB_TOKEN", code.TOKEN)
    document = call.json("github", "search-code", "GRPO", "--repo", "huggingface/trl",
                         "--language", "python", "--owner", "huggingface")  # fmt: skip

    assert world.github.log[-1].query["q"] == (
        "GRPO repo:huggingface/trl user:huggingface language:python"
    )
    assert document["result"]["hits"][0]["fragments"] == ["class GRPOTrainer"]

    world.github.spoil = lambda seen, reply: as_json(
        {"total_count": 0, "incomplete_results": True, "items": []}
    )
    document = call.json("github", "search-code", "other")
    assert "further hits" in document["notes"][0]


@given(st.text(max_size=200))
def test_any_text_is_a_notebook_or_is_not(text: str) -> None:
    """A damaged notebook is one kind of error."""
    for body in (text, json.dumps({"cells": [{"cell_type": "code", "source": text}]}),
                 json.dumps({"cells": text})):  # fmt: skip
        try:
            reading.notebook(body)
        except StrangeAnswerError:
            continue


@given(st.lists(st.text("abc/._", min_size=1, max_size=20), max_size=10), st.text(max_size=9))
def test_ranking_keeps_only_readable_files(paths: list[str], keyword: str) -> None:
    """Whatever the names, the ranking returns a part of the files, each once."""
    files: list[dict[str, object]] = [
        {"path": f"examples/{path}.py", "type": "blob", "size": 1, "sha": "s"}
        for path in set(paths)
    ]

    ranked = [str(item["path"]) for item in finding.rank(files, keyword or None)]

    assert len(ranked) == len(set(ranked))
    assert set(ranked) <= {str(item["path"]) for item in files}

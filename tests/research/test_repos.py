"""Repositories on the Hub: writes within the scope, sent once, seen afterwards."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.doubles.services import repositories
from tests.doubles.services.loopback import Reply
from tests.doubles.services.loopback import as_json
from tests.doubles.services.loopback import as_text
from tests.research.conftest import Caller
from tests.research.conftest import World


def _files(repo: repositories.Repository, revision: str = "main") -> dict[str, bytes]:
    return repo.commits[repo.branches[revision]]


def _writes(world: World) -> list[str]:
    return [f"{seen.method} {seen.path}" for seen in world.hub.log if seen.method != "GET"]


# huggingface_hub 2.4 hands bytes to its transport in a form that is deprecated there.
@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
def test_binary_large_and_nested_files_arrive_as_they_are(
    call: Caller, world: World, repo: repositories.Repository
) -> None:
    """A folder with text, binary and large files is one commit, verified by its listing."""
    folder = Path("out")
    (folder / "sub").mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(os.urandom(300_000))
    (folder / "sub" / "small.bin").write_bytes(bytes(range(256)))
    (folder / "empty.txt").write_bytes(b"")
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("no")

    document = call.json("hf_repo", "files", "upload", "me/x", "out", "--path", "run", "--yes")

    assert document["result"]["verified"] is True
    assert document["result"]["files"] == [
        "run/empty.txt",
        "run/model.safetensors",
        "run/sub/small.bin",
    ]
    now = _files(repo)
    for name in document["result"]["files"]:
        assert now[name] == (folder / name.removeprefix("run/")).read_bytes()
    assert now["README.md"] == b"# x\n"
    assert sum("/commit/" in write for write in _writes(world)) == 1
    assert all("authorization" not in seen.headers for seen in world.storage.log)


def test_an_upload_that_is_not_what_was_meant_is_no_success(
    call: Caller, world: World, repo: repositories.Repository
) -> None:
    """If the commit's listing differs from the local file, that is said."""
    Path("a.txt").write_text("mine")
    world.hub.spoil = lambda seen, reply: (
        as_json([{"type": "file", "path": "a.txt", "size": 9, "oid": "x"}])
        if "/tree/" in seen.path
        else reply
    )

    done = call("hf_repo", "files", "upload", "me/x", "a.txt", "--yes", "--json")

    assert done.code == 1
    assert done.document["error"]["code"] == "outcome_unknown"


def test_a_lost_answer_to_a_commit_is_not_repeated(
    call: Caller, world: World, repo: repositories.Repository
) -> None:
    """One commit request leaves, whatever comes back; what is unknown is called so."""
    Path("a.txt").write_text("mine")
    for fault in (as_json({}, 500), as_text("<html>"), Reply(200, b"{}{}", cut=2)):
        world.hub.log.clear()
        world.hub.spoil = lambda seen, reply, fault=fault: (
            fault if "/commit/" in seen.path else reply
        )
        done = call("hf_repo", "files", "upload", "me/x", "a.txt", "--yes", "--json")
        assert done.document["error"]["code"] == "outcome_unknown"
        assert sum("/commit/" in write for write in _writes(world)) == 1


def test_deleting_names_what_it_deletes_and_nothing_else(
    call: Caller, repo: repositories.Repository
) -> None:
    """Patterns are resolved against the listing; without a match nothing is sent."""
    document = call.json("hf_repo", "files", "delete", "me/x", "a/*", "--yes")

    assert document["result"]["files"] == ["a/1.txt", "a/2.bin"]
    assert set(_files(repo)) == {"README.md", "b.txt"}
    assert call("hf_repo", "files", "delete", "me/x", "none*", "--yes").code == 1


def test_files_are_listed_over_all_pages_and_read(
    call: Caller, world: World, repo: repositories.Repository
) -> None:
    """The Link header is followed; text is shown, binary is measured."""
    listed = call.json("hf_repo", "files", "list", "me/x")["result"]
    assert (listed["total"], listed["bytes"]) == (4, 17)
    below = call.json("hf_repo", "files", "list", "me/x", "--path", "a", "--glob", "*.txt")
    assert [f["path"] for f in below["result"]["files"]] == ["a/1.txt"]

    read = call.json("hf_repo", "files", "read", "me/x", "README.md")["result"]
    assert (read["text"], read["commit"]) == ("# x\n", "0" * 40)
    later = call.json("hf_repo", "files", "read", "me/x", "README.md", "--offset", "2")["result"]
    assert later["text"] == "x\n"
    binary = call.json("hf_repo", "files", "read", "me/x", "a/2.bin")["result"]
    assert (binary["binary"], binary["bytes"], binary["text"]) == (True, 9, None)


def test_a_file_in_storage_is_read_without_the_token(
    call: Caller, world: World, repo: repositories.Repository
) -> None:
    """The Hub redirects large files to another host, which sees no credential."""
    repo.lfs.add("b.txt")

    assert call.json("hf_repo", "files", "read", "me/x", "b.txt")["result"]["text"] == "b\n"
    assert "authorization" in world.hub.log[0].headers
    assert "authorization" not in world.storage.log[0].headers


def test_branches_and_tags_come_and_go(call: Caller, repo: repositories.Repository) -> None:
    """Each change is seen in the references afterwards."""
    assert call.json("hf_repo", "branch", "create", "me/x", "trial-1", "--yes")["result"][
        "verified"
    ]
    assert call.json("hf_repo", "tag", "create", "me/x", "v1", "--revision", "trial-1",
                     "--message", "best", "--yes")["result"]["verified"]  # fmt: skip
    refs = call.json("hf_repo", "refs", "list", "me/x")["result"]
    assert {b["name"] for b in refs["branches"]} == {"main", "old", "trial-1"}
    assert {t["name"] for t in refs["tags"]} == {"v1"}

    assert call("hf_repo", "branch", "delete", "me/x", "old", "--yes").code == 0
    assert call("hf_repo", "tag", "delete", "me/x", "v1", "--yes").code == 0
    refs = call.json("hf_repo", "refs", "list", "me/x")["result"]
    assert {b["name"] for b in refs["branches"]} == {"main", "trial-1"}
    assert refs["tags"] == []


def test_what_is_there_already_is_an_error_unless_that_is_fine(
    call: Caller, repo: repositories.Repository
) -> None:
    """A conflict names --exist-ok, which makes it a note."""
    done = call("hf_repo", "branch", "create", "me/x", "old", "--yes", "--json")
    assert done.document["error"]["code"] == "conflict"
    assert "--exist-ok" in done.document["error"]["hint"]

    document = call.json("hf_repo", "branch", "create", "me/x", "old", "--exist-ok", "--yes")
    assert "It was there already." in document["notes"]


def test_an_accepted_change_that_is_not_there_is_no_success(
    call: Caller, world: World, repo: repositories.Repository
) -> None:
    """An answer of 200 is not believed without a look."""
    for fault in (Reply(200), as_text("<html>maintenance</html>")):
        world.hub.spoil = lambda seen, reply, fault=fault: (
            fault if seen.method == "POST" else reply
        )
        repo.branches.pop("dev", None)
        world.hub._answer = _without_effect(world)
        done = call("hf_repo", "branch", "create", "me/x", "dev", "--yes", "--json")
        world.hub._answer = world.repos
        assert done.document["error"]["code"] == "outcome_unknown"


def _without_effect(world: World):  # type: ignore[no-untyped-def]
    return lambda seen: Reply(200) if seen.method == "POST" else world.repos(seen)


def test_a_pull_request_lives_its_life(call: Caller, repo: repositories.Repository) -> None:
    """Created as a draft, opened, commented, closed, reopened, merged; listed as it stands."""
    made = call.json("hf_repo", "pr", "create", "me/x", "--title", "Better", "--yes")["result"]
    assert (made["num"], made["revision"], made["verified"]) == (1, "refs/pr/1", True)
    said = call.json("hf_repo", "pr", "comment", "me/x", "1", "Looks good.", "--yes")
    assert said["result"]["comment"] == "e3"
    for status in ("closed", "open"):
        assert call("hf_repo", "pr", "status", "me/x", "1", status, "--yes").code == 0
    assert call("hf_repo", "pr", "merge", "me/x", "1", "--comment", "Thanks", "--yes").code == 0

    found = call.json("hf_repo", "pr", "get", "me/x", "1")["result"]
    assert found["status"] == "merged"
    assert [event["text"] for event in found["events"]] == ["Hello", "Looks good."]
    assert call.json("hf_repo", "pr", "list", "me/x")["result"]["pull_requests"] == []
    closed = call.json("hf_repo", "pr", "list", "me/x", "--status", "closed")["result"]
    assert [item["num"] for item in closed["pull_requests"]] == [1]


def test_pull_requests_are_listed_over_their_pages(
    call: Caller, world: World, repo: repositories.Repository
) -> None:
    """More than a page is followed as far as is asked for."""
    repo.discussions += [repositories._talk(n, f"PR {n}", True) for n in range(1, 26)]

    document = call.json("hf_repo", "pr", "list", "me/x", "--limit", "12", "--offset", "8")

    assert [p["num"] for p in document["result"]["pull_requests"]] == list(range(9, 21))
    assert document["more"][0]["options"] == {"--offset": "20"}


def test_repositories_are_created_private_and_updated(call: Caller, world: World) -> None:
    """Private unless asked otherwise; a Space says its SDK; settings are changed by name."""
    os.environ["HF_TOKEN"] = repositories.TOKEN
    document = call.json("hf_repo", "repo", "create", "me/data", "--type", "dataset", "--yes")
    assert document["result"]["visibility"] == "private"
    assert document["result"]["url"].endswith("/datasets/me/data")
    assert call("hf_repo", "repo", "create", "me/data", "--type", "dataset", "--yes").code == 1
    assert call("hf_repo", "repo", "create", "me/s", "--type", "space", "--yes").code == 2
    assert call("hf_repo", "repo", "create", "me/s", "--type", "space", "--space-sdk", "gradio",
                "--public", "--yes").code == 0  # fmt: skip

    assert call("hf_repo", "repo", "update", "me/data", "--type", "dataset", "--yes").code == 2
    assert call("hf_repo", "repo", "update", "me/data", "--type", "dataset", "--gated", "manual",
                "--visibility", "public", "--yes").code == 0  # fmt: skip
    assert world.repos.repositories["dataset/me/data"].settings == {
        "visibility": "public",
        "gated": "manual",
    }
    del os.environ["HF_TOKEN"]


def test_reads_are_fresh_after_a_write_of_ours(
    call: Caller, repo: repositories.Repository
) -> None:
    """A listing that was kept is not shown after the repository was changed from here."""
    call.json("hf_repo", "refs", "list", "me/x")
    call.json("hf_repo", "branch", "create", "me/x", "dev", "--yes")

    refs = call.json("hf_repo", "refs", "list", "me/x")

    assert not refs["from_disk"]
    assert "dev" in json.dumps(refs)

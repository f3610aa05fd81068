"""The HTTP client: whom it trusts, how it waits, what it keeps."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from sweeper.research import fields
from sweeper.research.faults import BusyError
from sweeper.research.faults import DownError
from sweeper.research.faults import ForbiddenError
from sweeper.research.faults import ResearchError
from sweeper.research.faults import StrangeAnswerError
from sweeper.research.faults import WriteUnknownError
from sweeper.research.http import Client
from sweeper.research.messages import Request
from sweeper.research.messages import Response
from sweeper.research.services import DATASETS_SERVER
from sweeper.research.services import HUB
from sweeper.research.services import S2
from sweeper.research.services import Accounts
from tests.doubles.services import repositories
from tests.doubles.services.loopback import Reply
from tests.doubles.services.loopback import as_json
from tests.doubles.services.loopback import as_text
from tests.research.conftest import Caller
from tests.research.conftest import MovedClock
from tests.research.conftest import World


def _ask(client: Client, **changes: object) -> object:
    request = Request(HUB, "/api/daily_papers", {"limit": 1}, **changes)  # type: ignore[arg-type]
    with client:
        return client.json(request, lambda value: value)


def test_a_token_goes_to_its_own_service_only(
    world: World, call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each credential is seen by its service and by no other."""
    secrets = {"HF_TOKEN": repositories.TOKEN, "S2_API_KEY": "s2-secret-key-123456",
               "GH_TOKEN": "ghp_abcdefghijklmnopqrstuvwxyz0123456789"}  # fmt: skip
    for name, value in secrets.items():
        monkeypatch.setenv(name, value)

    world.code.anonymous_left = 0
    for words in (
        ("papers", "details", "2106.09685"),
        ("papers", "find-datasets", "2106.09685"),
        ("papers", "read", "2106.00002"),
        ("hf_docs", "fetch", "trl/index"),
        ("inspect_dataset", "status", "x/sft"),
        ("github", "list-repos", "huggingface"),
    ):
        assert call(*words).code == 0

    homes = {"HF_TOKEN": (world.hub, world.viewer), "S2_API_KEY": (world.s2,),
             "GH_TOKEN": (world.github,)}  # fmt: skip
    for name, value in secrets.items():
        for double in world.all():
            sent = any(value in text for seen in double.log for text in seen.headers.values())
            assert sent == any(double is home for home in homes[name]), (name, double.url)


def test_a_redirect_elsewhere_loses_the_token_and_a_stranger_gets_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Content may come from the Hub's storage, without the token; other hosts are refused."""
    monkeypatch.setenv("HF_TOKEN", repositories.TOKEN)
    world.repos.storage["blob"] = b"[]"
    away = Reply(302, b"", {"Location": f"{world.storage.url}/blob"})

    world.hub.faults = [away]
    assert _ask(Client(), content=True) == []
    world.hub.faults = [away]
    with pytest.raises(ForbiddenError, match="not one of its hosts"):
        _ask(Client())
    world.hub.faults = [Reply(302, b"", {"Location": "https://evil.example/x"})]
    with pytest.raises(ForbiddenError, match=r"evil\.example"):
        _ask(Client(), content=True)

    assert "authorization" in world.hub.log[0].headers
    assert len(world.storage.log) == 1
    assert "authorization" not in world.storage.log[0].headers


def test_a_redirect_on_the_same_origin_keeps_the_token(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A renamed repository is followed with the credential it needs."""
    monkeypatch.setenv("HF_TOKEN", repositories.TOKEN)
    world.hub.faults = [Reply(307, b"", {"Location": "/api/daily_papers?limit=2"})]

    assert isinstance(_ask(Client()), list)
    assert "authorization" in world.hub.log[1].headers


def test_redirects_in_a_circle_end(world: World) -> None:
    """A circle is an error, not a loop."""
    world.hub.spoil = lambda seen, reply: Reply(302, b"", {"Location": seen.path})

    with pytest.raises(StrangeAnswerError, match="circle"):
        _ask(Client())


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/docs/x",
        "http://huggingface.co/docs/trl/index",
        "http://127.0.0.1:9/docs/x",
        "https://huggingface.co.evil.example/docs/x",
        "https://huggingface.co@evil.example/docs/x",
        "https://evil.example\\@huggingface.co/docs",
        "https://huggingface.co:444/docs/x",
        "file:///etc/passwd",
        "ftp://huggingface.co/x",
        "http://169.254.169.254/latest/meta-data",
        "https://[::1",
        "https://huggingface.co:port/x",
    ],
)
def test_fetch_takes_only_allowed_hosts(
    url: str, world: World, call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page of any other host is refused before anything is sent, and no token with it."""
    monkeypatch.setenv("HF_TOKEN", repositories.TOKEN)

    done = call("hf_docs", "fetch", url)

    assert done.code in (1, 2)
    assert "Traceback" not in done.err
    assert all(not double.log for double in world.all())


def test_fetch_does_not_follow_a_page_to_another_host(world: World, call: Caller) -> None:
    """An allowed page that redirects elsewhere is refused."""
    world.hub.faults = [Reply(302, b"", {"Location": f"{world.storage.url}/secret"})]

    done = call("hf_docs", "fetch", "trl/index")

    assert done.code == 1
    assert not world.storage.log


def test_trouble_is_retried_with_growing_pauses(world: World, clock: MovedClock) -> None:
    """A 500, a 429 and a cut connection are waited out, each pause longer than the one before."""
    world.hub.faults = [as_json({}, 500), as_json({}, 429), Reply(200, b"[1, 2", cut=3)]

    assert isinstance(_ask(Client()), list)
    assert len(world.hub.log) == 4
    assert clock.sleeps == sorted(clock.sleeps)
    assert sum(clock.sleeps) < 10


def test_a_service_that_says_how_long_is_left_alone_that_long(
    world: World, clock: MovedClock
) -> None:
    """Retry-After is kept, by every process: the limiter shuts the service until then."""
    world.hub.faults = [as_json({}, 429, Retry_After="7")]

    _ask(Client())

    assert sum(clock.sleeps) >= 7


def test_a_wait_beyond_the_limit_is_said_instead_of_waited(
    world: World, clock: MovedClock
) -> None:
    """What does not fit into the call ends it at once, with the seconds to wait; others know."""
    world.hub.faults = [as_json({}, 429, Retry_After="600")]

    with pytest.raises(BusyError, match="600 s") as caught:
        _ask(Client())
    with pytest.raises(BusyError, match="is used up on this machine"):
        _ask(Client())

    assert caught.value.wait_s == 600
    assert caught.value.hint is not None
    assert "601 s" in caught.value.hint
    assert clock.sleeps == []
    assert len(world.hub.log) == 1


def test_endless_trouble_ends_within_two_minutes(world: World, clock: MovedClock) -> None:
    """No sequence of failures keeps a call beyond a shell's limit."""
    for fault in (as_json({}, 503), as_json({}, 429), as_text("<html>", status=200)):
        world.hub.spoil = lambda seen, reply, fault=fault: fault
        before = clock.moved_s
        with pytest.raises(ResearchError):
            _ask(Client())
        assert clock.moved_s - before < 100


def test_silence_is_a_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service that does not answer in time is named, not waited for."""
    world.hub.spoil = lambda seen, reply: Reply(200, b"[]", delay_s=1.5)

    with pytest.raises(DownError, match="did not answer"):
        _ask(Client(timeout_s=0.5))


def test_a_lost_answer_to_a_write_is_never_repeated(world: World) -> None:
    """A write is sent once; what became of it is said to be unknown."""
    for fault in (as_json({}, 500), Reply(200, b"{}{}", cut=2)):
        world.hub.log.clear()
        world.hub.faults = [fault]
        with pytest.raises(WriteUnknownError):
            _ask(Client(), method="POST", body={}, write=True)
        assert len(world.hub.log) == 1


def test_a_write_that_was_turned_away_by_a_limit_is_tried_again(world: World) -> None:
    """429 means nothing happened, so the write may be sent again."""
    world.hub.faults = [as_json({}, 429), as_json({"done": True})]

    assert _ask(Client(), method="POST", body={}, write=True) == {"done": True}


def test_an_answer_that_cannot_be_trusted_is_not_kept(world: World) -> None:
    """A web page instead of JSON is an error, and the next call asks again."""
    world.hub.faults = [as_text("<html>maintenance</html>")] * 2

    with pytest.raises(StrangeAnswerError, match="a web page instead of JSON"):
        _ask(Client(), age_s=60)
    assert isinstance(_ask(Client(), age_s=60), list)


def test_what_is_kept_belongs_to_one_account_and_its_owner(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another token does not see what was kept for the first; files are the owner's alone."""
    monkeypatch.setenv("HF_TOKEN", repositories.TOKEN)
    _ask(Client(), age_s=60)
    monkeypatch.delenv("HF_TOKEN")
    _ask(Client(), age_s=60)

    assert len(world.hub.log) == 2
    kept = [path for path in (tmp_path / "cache" / "entries").rglob("*") if path.is_file()]
    assert kept
    assert all(path.stat().st_mode & 0o077 == 0 for path in kept)


def test_a_damaged_entry_is_as_good_as_none(world: World, tmp_path: Path) -> None:
    """Half an entry on disk is asked for anew."""
    _ask(Client(), age_s=60)
    for path in (tmp_path / "cache" / "entries").rglob("*"):
        if path.is_file():
            path.write_bytes(path.read_bytes()[:-4])

    _ask(Client(), age_s=60)

    assert len(world.hub.log) == 2


def test_an_old_entry_is_asked_for_anew(world: World) -> None:
    """Nothing is answered from disk beyond its age."""
    _ask(Client(), age_s=60)
    time.sleep(0.02)
    _ask(Client(), age_s=0.01)

    assert len(world.hub.log) == 2


def test_too_large_an_answer_is_refused(world: World) -> None:
    """A body beyond the limit is never held in memory."""
    world.hub.faults = [Reply(200, b"x" * 5000)]

    with pytest.raises(ResearchError, match="larger than"):
        _ask(Client(), max_bytes=1000)


def test_an_endpoint_in_a_folder_gets_no_token_but_that_folders(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A .env that names an endpoint cannot draw this account's token there."""
    monkeypatch.delenv("HF_ENDPOINT")
    monkeypatch.setenv("HF_TOKEN", repositories.TOKEN)
    Path(".env").write_text("HF_ENDPOINT=https://elsewhere.example\n")
    assert Accounts().base(HUB) == HUB.default

    Path(".env").write_text("HF_ENDPOINT=https://elsewhere.example\nHF_TOKEN=hf_of_that_folder\n")
    accounts = Accounts()

    assert accounts.base(HUB) == "https://elsewhere.example"
    assert accounts.secret(HUB) == "hf_of_that_folder"


def test_the_token_of_another_hub_is_not_sent_to_the_public_viewer(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With an endpoint of one's own, the token is that endpoint's."""
    monkeypatch.setenv("HF_TOKEN", repositories.TOKEN)
    assert Accounts().secret(DATASETS_SERVER) == repositories.TOKEN

    monkeypatch.delenv("SWEEPER_DATASETS_SERVER_URL")
    assert Accounts().secret(DATASETS_SERVER) is None
    monkeypatch.delenv("HF_ENDPOINT")
    assert Accounts().secret(DATASETS_SERVER) == repositories.TOKEN


def test_the_login_is_found_where_huggingface_hub_keeps_it(world: World, tmp_path: Path) -> None:
    """The token file counts when no variable is set."""
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text("hf_from_the_file\n")

    assert Accounts().secret(HUB) == "hf_from_the_file"
    assert Accounts().secret(S2) is None


@pytest.mark.parametrize("value", ["soon", "-1", "0", "nan"])
def test_a_knob_that_is_no_duration_is_wrong_usage(
    value: str, call: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mistyped environment variable is named, not ignored."""
    monkeypatch.setenv("SWEEPER_RESEARCH_TIMEOUT_S", value)

    done = call("papers", "trending")

    assert done.code == 2
    assert "SWEEPER_RESEARCH_TIMEOUT_S" in done.err


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a": NaN}', b"[" * 100_000, b"\xff\xfe", b'{"a": 1']
)
def test_what_is_no_json_is_refused(body: bytes) -> None:
    """Empty, HTML, NaN, absurd nesting, wrong encoding and truncation are one error."""
    with pytest.raises(StrangeAnswerError, match="instead of JSON"):
        fields.decode(body, "It")


def test_text_that_is_no_utf8_does_not_break_a_response() -> None:
    """Bytes that are no text are replaced."""
    assert Response("u", {}, b"a\xff", 0.0).text == "a\ufffd"

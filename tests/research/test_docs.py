"""Docs: ranked pages, one page, REST endpoints."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sweeper.research.docs import libraries
from sweeper.research.docs import ranking
from tests.doubles.services.loopback import Reply
from tests.doubles.services.loopback import as_json
from tests.doubles.services.loopback import as_text
from tests.research.conftest import Caller
from tests.research.conftest import World


def test_pages_are_ranked_by_title_and_content(call: Caller, world: World) -> None:
    """A word that only a page's text holds finds it; a title weighs more than a mention."""
    by_text = call.json("hf_docs", "explore", "trl", "--query", "packing")
    by_title = call.json("hf_docs", "explore", "trl", "--query", "DPOTrainer")

    assert [p["title"] for p in by_text["result"]["pages"]] == ["SFT Trainer"]
    assert by_title["result"]["pages"][0]["title"] == "DPO Trainer"
    assert all(seen.headers.get("authorization") is None for seen in world.hub.log)


def test_another_query_over_the_same_library_reads_nothing_again(
    call: Caller, world: World
) -> None:
    """Pages once read are ranked again from disk."""
    call.json("hf_docs", "explore", "trl", "--query", "packing")
    count = len(world.hub.log)
    call.json("hf_docs", "explore", "trl", "--query", "reward")

    assert count == 5
    assert len(world.hub.log) == count


def test_only_links_of_the_page_list_on_the_same_host_are_pages(call: Caller) -> None:
    """Other menus and other hosts are left out; fragments are not pages of their own."""
    document = call.json("hf_docs", "explore", "trl")

    assert [page["url"].rsplit("/", 1)[1] for page in document["result"]["pages"]] == [
        "index", "sft_trainer", "grpo_trainer", "dpo_trainer",
    ]  # fmt: skip


def test_a_page_that_fails_is_named_and_the_others_are_ranked(call: Caller, world: World) -> None:
    """One broken page does not hide the rest, and is not silently missing."""
    world.hub.spoil = lambda seen, reply: as_json({}, 404) if "dpo" in seen.path else reply

    document = call.json("hf_docs", "explore", "trl", "--query", "trainer")

    assert len(document["result"]["pages"]) == 2
    assert "1 pages could not be read" in document["notes"][0]


def test_a_large_library_is_ranked_over_its_likeliest_pages_and_says_so(
    call: Caller, world: World
) -> None:
    """Not every page of five hundred is fetched unasked; --deep fetches them."""
    count = libraries.READ_AT_MOST + 40
    links = "".join(f'<a href="/docs/big/p{n}">Page {n}</a>' for n in range(count))
    nav = as_text(f'<nav class="flex-auto">{links}<a href="/docs/big/rare">Rare topic</a></nav>')
    page = as_text("# Page\n\nWords about a topic.", "text/markdown")
    world.hub.spoil = lambda seen, reply: nav if seen.path == "/docs/big" else page

    document = call.json("hf_docs", "explore", "big", "--query", "rare topic")
    assert len(world.hub.log) == libraries.READ_AT_MOST + 1
    assert document["result"]["pages"][0]["title"] == "Rare topic"
    assert f"out of {count + 1}" in document["notes"][0]

    call.json("hf_docs", "explore", "big", "--query", "rare topic", "--deep")
    assert len(world.hub.log) == count + 2


def test_a_family_of_libraries_names_the_members_it_lacks(call: Caller, world: World) -> None:
    """A composite is explored as far as it is there."""
    nav = as_text('<nav class="flex-auto"><a href="/docs/optimum/index">Optimum</a></nav>')
    world.hub.spoil = lambda seen, reply: nav if seen.path == "/docs/optimum" else reply

    document = call.json("hf_docs", "explore", "optimum")

    assert document["result"]["total"] == 1
    assert len(document["notes"]) == 5


def test_a_page_is_fetched_by_address_or_path(call: Caller, world: World) -> None:
    """Addresses of the Hub, its short name and bare paths lead to the same markdown."""
    for name in (
        "trl/index",
        "/docs/trl/index",
        f"{world.hub.url}/docs/trl/index.md",
        "https://huggingface.co/docs/trl/index#setup",
        "https://hf.co/docs/trl/index",
    ):
        document = call.json("hf_docs", "fetch", name)
        assert document["result"]["title"] == "TRL"
    assert {seen.path for seen in world.hub.log} == {"/docs/trl/index.md"}


def test_a_web_page_is_not_passed_off_as_markdown(call: Caller, world: World) -> None:
    """HTML under an .md address is an error."""
    world.hub.spoil = lambda seen, reply: as_text("<!DOCTYPE html><html>Sign in</html>")

    assert call("hf_docs", "fetch", "trl/index").code == 1


def test_endpoints_are_found_by_what_they_do_and_by_tag(call: Caller) -> None:
    """Method, path, parameters, body and a curl line; the token stays a variable."""
    document = call.json("hf_docs", "find-api", "create a repo")
    endpoint = document["result"]["endpoints"][0]
    assert (endpoint["method"], endpoint["path"]) == ("POST", "/api/repos/create")
    assert "$HF_TOKEN" in endpoint["curl"]

    by_tag = call.json("hf_docs", "find-api", "zebra", "--tag", "models")
    assert by_tag["result"]["endpoints"][0]["path"] == "/api/models"
    assert "Nothing matches 'zebra'" in by_tag["notes"][0]
    assert call("hf_docs", "find-api", "--tag", "zebra").code == 1


def test_gradio_is_read_from_its_own_list(call: Caller, world: World) -> None:
    """Gradio's docs are ranked by their parts, and only its documented file is asked for."""
    document = call.json("hf_docs", "explore", "gradio", "--query", "lays out components")

    assert document["result"]["pages"][0]["title"] == "Blocks"
    assert world.gradio.paths() == ["/llms.txt"]


def test_a_navigation_cut_in_the_middle_is_no_list(call: Caller, world: World) -> None:
    """Half of the pages is not shown as all of them."""
    half = b'<nav class="flex-auto"><a href="/docs/trl/index">TRL</a>'
    world.hub.spoil = lambda seen, reply: Reply(200, half, {"Content-Type": "text/html"})

    done = call("hf_docs", "explore", "trl")

    assert done.code == 1
    assert "only in part" in done.err


@given(st.lists(st.text(max_size=30), max_size=5), st.text(max_size=30))
def test_scores_are_never_negative_and_zero_without_a_common_word(
    texts: list[str], query: str
) -> None:
    """A page that shares no word with the query never appears."""
    documents = [ranking.counts("", text) for text in texts]

    for document, score in zip(documents, ranking.scores(query, documents), strict=True):
        assert (score > 0) == bool(set(document) & set(ranking.words(query)))

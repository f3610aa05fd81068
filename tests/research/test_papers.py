"""Papers: the right endpoint for each question, and OpenAlex by name when one is away."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.research.faults import UsageError
from sweeper.research.papers import following
from sweeper.research.papers import record
from tests.doubles.services.loopback import Reply
from tests.doubles.services.loopback import as_json
from tests.research.conftest import Caller
from tests.research.conftest import MovedClock
from tests.research.conftest import World

P = "2106.09685"


def test_relevance_and_order_use_the_endpoint_that_offers_them(call: Caller, world: World) -> None:
    """Relevance is /paper/search with limit and offset; order is bulk with sort and token."""
    call.json("papers", "search", "lora", "--limit", "5", "--offset", "10")
    call.json("papers", "search", "lora", "--sort", "citations", "--limit", "5", "--offset", "19")

    first, *bulk = world.s2.log
    assert first.path == "/graph/v1/paper/search"
    assert (first.query["limit"], first.query["offset"]) == ("5", "10")
    assert [seen.path for seen in bulk] == ["/graph/v1/paper/search/bulk"] * 2
    assert bulk[1].query["token"] == "20"
    assert all("tldr" not in seen.query["fields"] and "limit" not in seen.query for seen in bulk)


def test_results_in_order_are_the_first_of_all(call: Caller) -> None:
    """An offset into an ordered list counts over its pages."""
    found = call.json(
        "papers", "search", "lora", "--sort", "date", "--limit", "5", "--offset", "18"
    )

    names = [paper["title"].rsplit(" ", 1)[1] for paper in found["result"]["papers"]]
    assert names == ["18", "17", "16", "15", "14"]


def test_every_filter_reaches_the_service(call: Caller, world: World) -> None:
    """Dates, citations and fields are sent as the service names them."""
    call.json("papers", "search", "lora", "--since", "2020-05", "--until", "2021",
              "--min-citations", "50", "--fields", "computer science,Physics")  # fmt: skip

    query = world.s2.log[0].query
    assert query["publicationDateOrYear"] == "2020-05:2021"
    assert query["minCitationCount"] == "50"
    assert query["fieldsOfStudy"] == "Computer Science,Physics"


@pytest.mark.parametrize("fault", [as_json({}, 429), as_json({}, 500), Reply(200, b"<html>")])
def test_openalex_stands_in_by_name_and_with_every_filter(
    fault: Reply, call: Caller, world: World
) -> None:
    """When Semantic Scholar is away the source is named, the reason given, no filter lost."""
    world.s2.spoil = lambda seen, reply: fault

    dates = ("--since", "2020-05", "--until", "2021-02", "--sort", "citations")
    words = ("papers", "search", "lora", *dates, "--min-citations", "50",
             "--fields", "Computer Science")  # fmt: skip
    document = call.json(*words)

    assert document["source"] == ["OpenAlex"]
    assert document["fallback"].startswith("OpenAlex stands in for Semantic Scholar")
    query = world.openalex.log[0].query
    assert set(query["filter"].split(",")) == {
        "type:article|preprint",
        "from_publication_date:2020-05-01",
        "to_publication_date:2021-02-28",
        "cited_by_count:>49",
        "primary_topic.field.id:17",
    }
    assert query["sort"] == "cited_by_count:desc"
    assert document["result"]["papers"][0]["tldr"] == "Low rank works"
    assert "Fallback: OpenAlex" in call(*words).out


def test_a_fallback_is_not_kept_for_long(call: Caller, world: World, clock: MovedClock) -> None:
    """When Semantic Scholar is back it is asked again after a few minutes."""
    world.s2.spoil = lambda seen, reply: as_json({}, 500)
    call.json("papers", "search", "lora")
    world.s2.spoil = None

    assert call.json("papers", "search", "lora")["source"] == ["OpenAlex"]
    clock.moved_s += 400
    assert call.json("papers", "search", "lora")["source"] == ["Semantic Scholar"]


def test_a_named_source_is_never_replaced(call: Caller, world: World) -> None:
    """Who asks for Semantic Scholar gets it or an error."""
    world.s2.spoil = lambda seen, reply: as_json({}, 503)

    done = call("papers", "search", "lora", "--source", "s2")

    assert done.code == 1
    assert not world.openalex.log


def test_when_both_are_away_both_are_named(call: Caller, world: World) -> None:
    """The error says why neither could answer."""
    for double in (world.s2, world.openalex):
        double.spoil = lambda seen, reply: as_json({}, 503)

    done = call("papers", "search", "lora")

    assert done.code == 1
    assert "Semantic Scholar is in trouble" in done.err
    assert "OpenAlex could not stand in" in done.err


def test_a_wrong_request_is_not_blamed_on_the_service(call: Caller, world: World) -> None:
    """A refusal of the question itself does not change the source."""
    world.s2.spoil = lambda seen, reply: as_json({"error": "Bad query"}, 400)

    done = call("papers", "search", "lora")

    assert done.code == 1
    assert "Bad query" in done.err
    assert not world.openalex.log


def test_nothing_found_is_a_result(call: Caller) -> None:
    """Semantic Scholar leaves the list out when nothing matches; that is no error."""
    document = call.json("papers", "search", "nothing")

    assert document["result"]["papers"] == []
    assert document["result"]["total"] == 0


def test_details_join_the_hub_with_citations_and_tldr(call: Caller, world: World) -> None:
    """One paper carries what both know; a leg that fails is named and the rest stays."""
    both = call.json("papers", "details", P)
    assert both["result"]["upvotes"] == 9685
    assert both["result"]["citations"] == 850
    assert both["result"]["tldr"] == "Summary 85."

    world.s2.spoil = lambda seen, reply: as_json({}, 500)
    one = call.json("papers", "details", P, "--fresh")
    assert one["result"]["upvotes"] == 9685
    assert one["result"]["citations"] == 99
    assert "OpenAlex" in one["fallback"]

    world.openalex.spoil = lambda seen, reply: as_json({}, 500)
    alone = call.json("papers", "details", P, "--fresh")
    assert alone["result"]["citations"] is None
    assert any("Semantic Scholar" in note for note in alone["notes"])


def test_the_graph_is_ranked_and_paged(call: Caller, world: World) -> None:
    """Influence and recency decide, over all that was read; pages do not overlap."""
    words = ("papers", "citation-graph", P, "--direction", "citations")
    first = call.json(*words, "--limit", "20")["result"]["citations"]
    second = call.json(*words, "--limit", "20", "--offset", "20")["result"]["citations"]

    scores = [paper["score"] for paper in first["papers"] + second["papers"]]
    assert scores == sorted(scores, reverse=True)
    titles = {paper["title"] for paper in first["papers"] + second["papers"]}
    assert len(titles) == first["read"] == 37
    assert first["papers"][0]["is_influential"]
    assert len(world.s2.log) == 1


def test_what_was_not_read_of_the_graph_is_said(call: Caller) -> None:
    """A ranking over a part names the part."""
    document = call.json("papers", "citation-graph", P, "--direction", "citations", "--scan", "10")

    assert document["result"]["citations"]["all_read"] is False
    assert "Only 10 citations were read" in document["notes"][0]


def test_the_graph_falls_back_by_name(call: Caller, world: World) -> None:
    """OpenAlex gives citations, and says that it does not know influence."""
    world.s2.spoil = lambda seen, reply: as_json({}, 429)

    document = call.json("papers", "citation-graph", P)

    assert "does not know which citations are influential" in document["fallback"]
    assert world.openalex.log[1].query["filter"] == "cites:W1"
    assert world.openalex.log[2].query["filter"] == "openalex:W7|W8"
    assert document["result"]["citations"]["papers"][0]["is_influential"] is None


@given(st.integers(0, 10**6), st.integers(0, 10**4), st.integers(1950, 2030), st.booleans())
def test_influence_and_recency_never_lower_a_score(
    citations: int, strong: int, year: int, influential: bool
) -> None:
    """More citations, a later year, an influential citation: never worse."""

    def score(*values: object) -> float:
        names = ("citations", "influential_citations", "year", "is_influential")
        return following.score(dict(zip(names, values, strict=True)), 2026)

    base = score(citations, strong, year, influential)
    assert score(citations + 1, strong, year, influential) >= base
    assert score(citations, strong, year + 1, influential) >= base
    assert score(citations, strong, year, True) >= base


def test_snippets_are_given_their_papers(call: Caller, world: World) -> None:
    """Years and arXiv ids come from one batch request by corpus id; if it fails that is said."""
    document = call.json(
        "papers", "snippet-search", "rank", "--limit", "3", "--min-citations", "1"
    )
    assert world.s2.log[1].json() == {"ids": ["CorpusId:0", "CorpusId:1", "CorpusId:2"]}
    assert document["result"]["snippets"][2]["paper"]["arxiv_id"] == "2106.00002"

    world.s2.spoil = lambda seen, reply: as_json({}, 500) if "batch" in seen.path else reply
    document = call.json("papers", "snippet-search", "rank", "--limit", "3", "--fresh")
    assert document["result"]["snippets"][2]["paper"] is None
    assert "arXiv ids are missing" in document["notes"][0]


def test_recommendations_for_one_and_for_many(call: Caller, world: World) -> None:
    """One paper has a pool; several have likes and dislikes."""
    call.json("papers", "recommend", f"arXiv:{P}v2", "--pool", "all-cs", "--limit", "4")
    call.json("papers", "recommend", P, "2106.00001", "--unlike", "2106.00002")

    one, many = world.s2.log
    assert one.path.endswith(f"/forpaper/ARXIV:{P}")
    assert one.query["from"] == "all-cs"
    assert many.json() == {"positivePaperIds": [f"ARXIV:{P}", "ARXIV:2106.00001"],
                           "negativePaperIds": ["ARXIV:2106.00002"]}  # fmt: skip


def test_a_leg_of_the_resources_that_fails_is_unknown_not_empty(
    call: Caller, world: World
) -> None:
    """Models that could not be asked for are null and named."""
    world.hub.spoil = lambda seen, reply: as_json({}, 500) if "models" in seen.path else reply

    document = call.json("papers", "find-all-resources", P)

    assert document["result"]["models"] is None
    assert len(document["result"]["datasets"]) == 1
    assert "models are unknown" in document["notes"][0]
    assert "unknown (see the note above)" in call("papers", "find-all-resources", P).out


def test_trending_looks_for_its_keyword_over_more_than_it_shows(
    call: Caller, world: World
) -> None:
    """The keyword is looked for in three times as many papers, and the count is said."""
    document = call.json("papers", "trending", "--query", "about adapters, 2", "--limit", "10",
                         "--date", "2021-06-17")  # fmt: skip

    assert world.hub.log[0].query == {"limit": "30", "date": "2021-06-17"}
    assert "of the 30 listed papers" in document["notes"][0]


@pytest.mark.parametrize(
    "text",
    [
        P, f"arXiv:{P}", f"arxiv: {P}", f"https://arxiv.org/abs/{P}", f"https://arxiv.org/pdf/{P}.pdf",
        f"http://www.arxiv.org/html/{P}", f"https://huggingface.co/papers/{P}",
        f"https://doi.org/10.48550/arXiv.{P}", f" {P} ",
    ],
)  # fmt: skip
def test_a_paper_is_named_in_every_usual_way(text: str) -> None:
    """Ids, prefixes, pages and DOIs of arXiv all lead to the id."""
    assert record.arxiv_id(text) == P


@given(st.text(max_size=30))
def test_any_other_text_is_no_paper(text: str) -> None:
    """Whatever is no id is refused, never sent."""
    try:
        found = record.arxiv_id(text)
    except UsageError:
        return
    assert "/" not in found or found.count("/") == 1
    assert not set(found) & set(" ?#&%:")


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2021", "2021-01-01", "2021-12-31"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2021-12", "2021-12-01", "2021-12-31"),
        ("2021-06-17", "2021-06-17", "2021-06-17"),
    ],
)
def test_a_date_means_all_its_days(text: str, first: str, last: str) -> None:
    """A year or a month begins on its first day and ends on its last."""
    assert record.day(text) == first
    assert record.day(text, last=True) == last


@pytest.mark.parametrize("text", ["2021-13", "21", "2021-02-30", "June 2021", "2021-6", "0000"])
def test_what_is_no_date_is_refused(text: str) -> None:
    """A mistyped date is an error, not a filter that silently means nothing."""
    with pytest.raises(UsageError):
        record.day(text)

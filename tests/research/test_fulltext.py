"""Full text: four sources in order, sections whole."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.research.faults import NotFoundError
from sweeper.research.papers import fulltext
from sweeper.research.papers import latexml
from tests.doubles.services import pages
from tests.doubles.services.loopback import as_json
from tests.research.conftest import Caller
from tests.research.conftest import World


@pytest.mark.parametrize(
    ("paper", "source", "asked"),
    [
        ("2106.09685", "arXiv HTML", (1, 0, 0)),
        ("2106.00001", "ar5iv HTML", (1, 1, 0)),
        ("2106.00002", "Hugging Face Hub markdown", (1, 2, 1)),
        ("2106.00003", "arXiv PDF", (2, 2, 1)),
    ],
)
def test_the_first_source_that_has_the_text_gives_it_and_is_named(
    paper: str, source: str, asked: tuple[int, int, int], call: Caller, world: World
) -> None:
    """ArXiv's HTML, ar5iv, the Hub's markdown, the PDF: in that order, no further than needed."""
    document = call.json("papers", "read", paper)

    assert document["result"]["text_source"] == source
    assert document["source"] == [source]
    assert (len(world.arxiv.log), len(world.ar5iv.log), len(world.hub.log)) == asked
    assert len(document["result"]["sections"]) >= 2


def test_a_paper_nobody_has_is_an_error_with_all_reasons(call: Caller, world: World) -> None:
    """The error names each source and why; sources that were away are not called missing."""
    done = call("papers", "read", "2106.00404", "--json")
    assert done.code == 1
    assert done.document["error"]["code"] == "not_found"
    for name in ("arXiv", "ar5iv", "Hub"):
        assert name in done.err

    world.arxiv.spoil = lambda seen, reply: as_json({}, 500)
    done = call("papers", "read", "2106.00404", "--json")
    assert done.document["error"]["code"] == "research"


def test_a_section_comes_whole_with_what_is_below_it(call: Caller) -> None:
    """Nothing is cut at eight thousand characters, and subsections follow."""
    document = call.json("papers", "read", "2106.09685", "--section", "our method")

    titles = [section["title"] for section in document["result"]["sections"]]
    assert titles == ["Our Method", "Low-Rank Method Details"]
    assert document["result"]["sections"][0]["text"].endswith("END-OF-METHOD")
    assert len(document["result"]["sections"][0]["text"]) > 8000
    assert document["result"]["sections"][1]["url"].endswith("#S4.SS1")


@pytest.mark.parametrize(
    ("wanted", "title"),
    [
        ("4.1", "Low-Rank Method Details"),
        ("§4", "Our Method"),
        ("Section 1", "Introduction"),
        ("A", "A Note on Seeds"),
        ("a note on seeds", "A Note on Seeds"),
        ("4.1 low-rank method details", "Low-Rank Method Details"),
        ("method", "Our Method"),
    ],
)
def test_a_section_is_found_by_number_title_or_words(
    wanted: str, title: str, call: Caller
) -> None:
    """Exact names win; else the shallowest section with the words, and the others are named."""
    document = call.json("papers", "read", "2106.09685", "--section", wanted)

    assert document["result"]["sections"][0]["title"] == title
    if wanted == "method":
        assert document["result"]["others"] == ["4.1 Low-Rank Method Details"]


def test_html_becomes_text_that_keeps_figures() -> None:
    """Formulas as LaTeX, tables as rows, captions, footnotes, lists; no menus."""
    paper = latexml.read(pages.PAPER_HTML)

    intro, method, details, appendix = paper.sections
    assert (paper.title, paper.abstract) == (
        "LoRA: Low-Rank Adaptation",
        "We propose low-rank adaptation.",
    )
    assert [s.number for s in paper.sections] == ["1", "4", "4.1", "A"]
    assert [s.level for s in paper.sections] == [1, 1, 2, 1]
    assert "costly (note: 1Very.)." in intro.text
    assert "$W_0+BA$" in method.text
    assert "| RoBERTa | 90.2 |" in details.text
    assert "*Table 2: Results on GLUE.*" in details.text
    assert "- Five seeds." in appendix.text
    assert "Menu" not in "".join(s.text for s in paper.sections)


@given(st.text(max_size=300), st.integers(0, 2000))
def test_any_html_is_read_or_refused(text: str, cut: int) -> None:
    """Damaged pages give a paper or one kind of error."""
    for html in (text, pages.PAPER_HTML[:cut] + text):
        with contextlib.suppress(fulltext.StrangeAnswerError):
            assert isinstance(latexml.read(html), latexml.Paper)


def test_markdown_is_cut_at_its_headings() -> None:
    """Headings inside fences are text; an abstract is no section."""
    paper = fulltext.from_markdown(pages.PAPER_MD)

    assert paper.title == "LoRA in markdown"
    assert paper.abstract == "Abstract text."
    assert [(s.number, s.title, s.level) for s in paper.sections] == [
        ("1", "Introduction", 1),
        ("1.1", "Details", 2),
    ]
    assert "# not a heading" in paper.sections[0].text


def test_a_pdf_is_cut_at_its_numbered_headings(call: Caller) -> None:
    """The text of a PDF has sections too."""
    document = call.json("papers", "read", "2106.00003", "--section", "2")

    assert [s["number"] for s in document["result"]["sections"]] == ["2", "2.1"]
    assert "The rank is 8." in document["result"]["sections"][0]["text"]


def test_a_pdf_without_headings_is_cut_at_its_pages() -> None:
    """Where no heading is recognised, pages are the sections."""
    paper = fulltext.from_pages(["Title\nwords", "more words"])

    assert [s.title for s in paper.sections] == ["Page 1", "Page 2"]


def test_sections_that_are_not_there_list_those_that_are() -> None:
    """The error is the table of contents."""
    sections: list[dict[str, object]] = [
        {"number": "1", "title": "Introduction", "level": 1},
        {"number": "", "title": "References", "level": 1},
    ]
    with pytest.raises(NotFoundError) as caught:
        fulltext.select(sections, "2")

    assert caught.value.hint == "It has: “1 Introduction”, “References”."

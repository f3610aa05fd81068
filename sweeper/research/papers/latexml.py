"""A paper's HTML, as LaTeXML writes it for arXiv and ar5iv, taken apart into sections.

Formulas come back as their LaTeX, tables as rows with bars, captions and footnotes in place, so
that a figure in a table can be found again under its section.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from dataclasses import field
from html.parser import HTMLParser

from sweeper.research.faults import StrangeAnswerError

_VOID = frozenset(
    [
        "area",
        "base",
        "br",
        "col",
        "embed",
        "hr",
        "img",
        "input",
        "link",
        "meta",
        "source",
        "track",
        "wbr",
    ]
)
_SKIPPED_TAGS = frozenset(
    ["script", "style", "nav", "header", "footer", "button", "svg", "noscript", "template"]
)
_SKIPPED_CLASSES = frozenset(
    [
        "ltx_page_navbar",
        "ltx_page_footer",
        "ltx_page_header",
        "ltx_TOC",
        "ltx_role_newpage",
        "ltx_rdf",
        "package-alerts",
        "ltx_ERROR",
    ]
)
_BLOCKS = frozenset(
    [
        "p",
        "div",
        "section",
        "figure",
        "table",
        "ul",
        "ol",
        "dl",
        "blockquote",
        "article",
        "figcaption",
        "dd",
        "dt",
    ]
)
_LEVELS = {
    "ltx_title_section": 1,
    "ltx_title_appendix": 1,
    "ltx_title_bibliography": 1,
    "ltx_title_acknowledgements": 1,
    "ltx_title_subsection": 2,
    "ltx_title_subsubsection": 3,
}
_NUMBER = re.compile(r"^(?:Appendix\s+([A-Z])|((?:\d+|[A-Z](?=\.))(?:\.\d+)*))[.:]?\s+(?=\S)")


@dataclass(slots=True)
class Node:
    """An element with its children; text stands as plain strings among them."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[Node | str] = field(default_factory=list)

    @property
    def classes(self) -> set[str]:
        """The names in its class attribute."""
        return set(self.attributes.get("class", "").split())


@dataclass(slots=True)
class Section:
    """One section without its subsections.

    Attributes:
        number: "3.2", "A", or "".
        title: Its heading without the number.
        level: 1 for a section, 2 for a subsection, …
        text: Its text as markdown.
        anchor: The element id that a link can point to, or "".
    """

    number: str
    title: str
    level: int
    text: str = ""
    anchor: str = ""


@dataclass(slots=True)
class Paper:
    """A paper taken apart."""

    title: str = ""
    abstract: str = ""
    sections: list[Section] = field(default_factory=list)


class _Tree(HTMLParser):
    """Builds nodes; forgives what browsers forgive."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("root")
        self._open = [self.root]

    def open_tags(self) -> set[str]:
        """Return the elements that were not closed."""
        return {node.tag for node in self._open}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Open an element."""
        node = Node(tag, {name: value or "" for name, value in attrs})
        self._open[-1].children.append(node)
        if tag not in _VOID and len(self._open) < 400:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add an element without children."""
        self._open[-1].children.append(Node(tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        """Close the nearest element of that name."""
        for index in range(len(self._open) - 1, 0, -1):
            if self._open[index].tag == tag:
                del self._open[index:]
                return

    def handle_data(self, data: str) -> None:
        """Add text."""
        self._open[-1].children.append(data)


def read(html: str) -> Paper:
    """Return the paper in `html`; without sections if it is none of LaTeXML's.

    Raises:
        StrangeAnswerError: It ends in the middle.
    """
    tree = _Tree()
    tree.feed(html)
    tree.close()
    if tree.open_tags() & {"article", "section", "table", "h1", "h2", "h3"}:
        raise StrangeAnswerError("The page came only in part.")
    reader = _Reader()
    reader.walk(tree.root, "")
    return reader.finish()


class _Reader:
    """Walks in document order and hands text to the section that is open."""

    def __init__(self) -> None:
        self.paper = Paper()
        self._parts: list[str] = []

    def finish(self) -> Paper:
        self._close()
        return self.paper

    def walk(self, node: Node, anchor: str) -> None:
        anchor = node.attributes.get("id", anchor) if node.tag == "section" else anchor
        for child in node.children:
            if isinstance(child, str):
                self._add(child)
            elif _skipped(child):
                continue
            elif not self._structure(child, anchor):
                self._content(child, anchor)

    def _structure(self, node: Node, anchor: str) -> bool:
        classes = node.classes
        if "ltx_abstract" in classes:
            self.paper.abstract = _tidy(_inline(node, without_titles=True))
            return True
        if re.fullmatch(r"h[1-6]", node.tag) and "ltx_title" in classes:
            return self._heading(node, classes, anchor)
        return bool(classes & {"ltx_authors", "ltx_dates"})

    def _heading(self, node: Node, classes: set[str], anchor: str) -> bool:
        text = " ".join(_inline(node).split())
        if "ltx_title_document" in classes or (node.tag == "h1" and not self.paper.title):
            self.paper.title = self.paper.title or text
            return True
        level = next((_LEVELS[name] for name in classes if name in _LEVELS), None)
        if level is None and classes & {"ltx_title_paragraph", "ltx_title_subparagraph"}:
            self._add(f"\n\n**{text}** ")
            return True
        if level is None:
            level = max(1, int(node.tag[1]) - 1)
        self._close()
        number, title = heading(text, _tag(node))
        self.paper.sections.append(Section(number, title, level, anchor=anchor))
        return True

    def _content(self, node: Node, anchor: str) -> None:
        if node.tag in ("math", "table", "figcaption", "li", "pre") or _atomic(node):
            self._add(_inline(node))
            return
        if node.tag in _BLOCKS:
            self._add("\n\n")
        self.walk(node, anchor)
        if node.tag in _BLOCKS:
            self._add("\n\n")

    def _add(self, text: str) -> None:
        self._parts.append(text)

    def _close(self) -> None:
        if self.paper.sections:
            self.paper.sections[-1].text = _tidy("".join(self._parts))
        self._parts = []


def heading(text: str, tag: str = "") -> tuple[str, str]:
    """Return a heading's number and title; `tag` is its number as the page marks it, or ""."""
    if tag and text.startswith(tag):
        return tag.removeprefix("Appendix").strip(" .:"), text[len(tag) :].strip()
    match = _NUMBER.match(text)
    if match is None:
        return "", text
    return match[1] or match[2], text[match.end() :]


def _tag(node: Node) -> str:
    marks = [child for child in node.children if isinstance(child, Node)]
    return next((" ".join(_plain(m).split()) for m in marks if "ltx_tag" in m.classes), "")


def _atomic(node: Node) -> bool:
    return bool(node.classes & {"ltx_note", "ltx_tabular", "ltx_bibitem", "ltx_listing"})


def _skipped(node: Node) -> bool:
    return node.tag in _SKIPPED_TAGS or bool(node.classes & _SKIPPED_CLASSES)


def _inline(node: Node, *, without_titles: bool = False) -> str:
    """Return an element as text."""
    if node.tag == "math":
        return _formula(node)
    classes = node.classes
    if "ltx_tabular" in classes:
        return f"\n\n{_table(node)}\n\n"
    if "ltx_listing" in classes or node.tag == "pre":
        return f"\n\n```\n{_plain(node).strip()}\n```\n\n"
    parts = []
    for child in node.children:
        if isinstance(child, str):
            parts.append(child)
        elif not _skipped(child) and not (without_titles and "ltx_title" in child.classes):
            parts.append(_inline(child, without_titles=without_titles))
    return _wrap(node, classes, "".join(parts))


def _wrap(node: Node, classes: set[str], text: str) -> str:
    if "ltx_note" in classes:
        return f" (note: {' '.join(text.split())})"
    if node.tag == "figcaption":
        return f"\n\n*{' '.join(text.split())}*\n\n"
    if node.tag == "li":
        return f"\n- {' '.join(text.split())}\n"
    if node.tag == "br":
        return "\n"
    if "ltx_equation" in classes or "ltx_eqn_table" in classes:
        return f"\n\n{' '.join(text.split())}\n\n"
    return f"\n\n{text}\n\n" if node.tag in _BLOCKS else text


def _formula(node: Node) -> str:
    text = node.attributes.get("alttext", "").strip()
    if not text:
        text = _annotation(node).strip() or " ".join(_plain(node).split())
    return f"${text}$" if text else ""


def _annotation(node: Node) -> str:
    for child in node.children:
        if isinstance(child, Node):
            if child.tag == "annotation" and "tex" in child.attributes.get("encoding", ""):
                return _plain(child)
            if found := _annotation(child):
                return found
    return ""


def _plain(node: Node) -> str:
    return "".join(
        child if isinstance(child, str) else ("\n" if child.tag == "br" else _plain(child))
        for child in node.children
    )


def _table(node: Node) -> str:
    rows = []
    for row in _rows(node):
        cells = [
            " ".join(_inline(cell).split())
            for cell in row.children
            if isinstance(cell, Node) and (cell.tag in ("td", "th") or "ltx_td" in cell.classes)
        ]
        if any(cells):
            rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _rows(node: Node) -> list[Node]:
    found: list[Node] = []
    for child in node.children:
        if isinstance(child, Node):
            is_row = child.tag == "tr" or "ltx_tr" in child.classes
            found += [child] if is_row else _rows(child)
    return found


def _tidy(text: str) -> str:
    """Join lines into paragraphs, leaving tables, lists and listings as they are."""
    blocks: list[str] = []
    for index, part in enumerate(re.split(r"(```[\s\S]*?```)", text)):
        blocks += [part] if index % 2 else _paragraphs(part)
    return "\n\n".join(block for block in blocks if block)


def _paragraphs(text: str) -> list[str]:
    found = []
    for block in re.split(r"\n\s*\n", text):
        lines = [" ".join(line.split()) for line in block.split("\n")]
        keep = any(line.startswith(("| ", "- ")) for line in lines)
        found.append(("\n" if keep else " ").join(line for line in lines if line))
    return found

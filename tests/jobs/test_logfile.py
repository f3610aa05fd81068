"""A growing log is read in whole lines, each once, whatever the bytes and the moments are."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeper.jobs import logfile

_pieces = st.lists(
    st.one_of(
        st.sampled_from([b"loss=1.5\n", b"\r", b"\n", b"\r\n", "é\u2028ü".encode(), b"\xff"]),
        st.binary(max_size=12),
    ),
    max_size=25,
)


def follow(path: Path, pieces: list[bytes], cursor: str = "") -> list[str]:
    """Write a log piece by piece, reading between the pieces, and return all lines."""
    lines: list[str] = []
    for at in range(len(pieces) + 1):
        new = logfile.tail(path, cursor, ended=False)
        lines, cursor = lines + new.lines, new.cursor
        assert not new.complete
        if at < len(pieces):
            with path.open("ab") as file:
                file.write(pieces[at])
    complete = False
    while not complete:
        new = logfile.tail(path, cursor, ended=True)
        lines, cursor, complete = lines + new.lines, new.cursor, new.complete
    return lines


@given(_pieces)
def test_lines_do_not_depend_on_when_they_are_read(pieces: list[bytes]) -> None:
    """No line is lost, doubled or cut, and no character is read in halves."""
    with tempfile.TemporaryDirectory() as folder:
        whole = b"".join(pieces).decode("utf-8", errors="replace")
        expected = whole.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if expected[-1] == "":
            expected.pop()

        assert follow(Path(folder) / "log", pieces) == expected


def test_a_line_without_an_end_waits_for_it(tmp_path: Path) -> None:
    """Half a metric is not a metric."""
    log = tmp_path / "log"
    log.write_bytes(b"loss=1.")

    assert logfile.tail(log, "", ended=False).lines == []
    log.write_bytes(b"loss=1.25\n")
    assert logfile.tail(log, "0", ended=False).lines == ["loss=1.25"]


def test_a_line_of_any_length_ends_somewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that never ends its line does not stop the reading, and no character is broken."""
    monkeypatch.setattr(logfile, "CHUNK", 1000)
    log = tmp_path / "log"
    log.write_text("é" * 2499 + "x" * 3 + "\nloss=1\n", encoding="utf-8")
    lines = follow(log, [])

    assert "".join(lines[:-1]) == "é" * 2499 + "xxx"
    assert lines[-1] == "loss=1"


def test_a_log_that_is_not_there_yet_is_empty(tmp_path: Path) -> None:
    """The conductor looks before the script has said anything."""
    assert logfile.tail(tmp_path / "log", "", ended=False) == logfile.Tail([], "0", False)

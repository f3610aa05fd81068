"""What runs inside a job: on Python 3.9, without sweeper, whatever the script prints."""

from __future__ import annotations

import ast
import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

from hypothesis import given
from hypothesis import settings
from hypothesis import strategies as st

from sweeper.jobs import bundle
from sweeper.jobs import metrics
from sweeper.jobs.aboard import BOOTSTRAP
from sweeper.jobs.aboard import NUMBERS_A_RUN
from sweeper.jobs.aboard import Printer
from sweeper.jobs.aboard import exit_of
from sweeper.jobs.aboard import number_of
from sweeper.jobs.aboard import texts


def aboard(folder: Path, argv: list[str], **spec: object) -> subprocess.CompletedProcess[str]:
    """Run a command as a job does: from the archive alone, in an interpreter without sweeper."""
    archive = bundle.pack(folder, [path.name for path in folder.iterdir()])
    document = json.dumps({"argv": argv, "env": {}, "edits": {}, **spec})
    parts = archive.as_arguments()
    assert parts is not None
    return subprocess.run(
        [sys.executable, "-I", "-c", BOOTSTRAP, document, *parts],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "LANG": "C"},
    )


def test_everything_that_goes_along_is_fit_for_python_3_9() -> None:
    with zipfile.ZipFile(io.BytesIO(bundle.runtime())) as runtime:
        names = runtime.namelist()
        for name in names:
            ast.parse(runtime.read(name), name, feature_version=(3, 9))

    assert "sweeper/jobs/metrics.py" in names
    assert "sweeper/jobs/inside/sitecustomize.py" in names


def test_the_same_files_make_the_same_archive(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("1")
    first = bundle.pack(tmp_path, ["a.py"])
    os.utime(tmp_path / "a.py", (1, 1))

    assert bundle.pack(tmp_path, ["a.py"]).digest == first.digest
    (tmp_path / "a.py").write_text("2")
    assert bundle.pack(tmp_path, ["a.py"]).digest != first.digest


def test_a_script_finds_our_modules_and_its_own_files(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("VALUE = 0.5")
    (tmp_path / "t.py").write_text(
        "from sweeper.jobs import metrics\n"
        "from sweeper_report import report\n"
        "import own\n"
        "report(step=3, loss=own.VALUE)\n"
        "print('parsed', metrics.parse_line('loss=1').values['loss'])\n"
    )

    answer = aboard(tmp_path, ["@sweeper-python@", "t.py"])

    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    reader = metrics.MetricReader("loss")
    assert [(r.step, r.value) for line in lines for r in reader.feed(line)] == [(3, 0.5)]
    assert "parsed 1.0" in lines[1]


def test_the_end_of_a_script_is_told_and_handed_on(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("import os, sys; os.kill(os.getpid(), int(sys.argv[1]))")
    (tmp_path / "u.py").write_text("raise SystemExit(3)")

    killed = aboard(tmp_path, ["@sweeper-python@", "t.py", "9"])
    ended = aboard(tmp_path, ["@sweeper-python@", "u.py"])
    missing = aboard(tmp_path, ["no-such-program"])

    assert (killed.returncode, exit_of(killed.stdout.splitlines()[-1])) == (137, -9)
    assert (ended.returncode, exit_of(ended.stdout.splitlines()[-1])) == (3, 3)
    assert missing.returncode == 127
    assert "no-such-program cannot be started" in missing.stdout


def test_bytes_that_are_no_text_and_lines_without_an_end_are_printed(tmp_path: Path) -> None:
    script = "import os; os.write(1, b'\\xff\\xfe \\xc3\\xbc\\nloss=2')"
    (tmp_path / "t.py").write_text(script)

    answer = aboard(tmp_path, ["@sweeper-python@", "t.py"])

    lines = answer.stdout.splitlines()
    assert lines[0] == "\ufffd\ufffd ü"
    assert lines[1].endswith("loss=2")


def test_numbers_go_on_and_a_second_run_begins_another_count() -> None:
    out = io.BytesIO()
    first = Printer(out, 1_790_000_000.9)
    for text in ("loss=1", "hello", "loss=2"):
        first.line(text)
    Printer(out, 1_790_000_007.0).line("loss=3")

    lines = out.getvalue().decode().splitlines()
    numbers = [number for line in lines if (number := number_of(line)) is not None]
    assert numbers[1] == numbers[0] + 1
    assert numbers[2] // NUMBERS_A_RUN == numbers[0] // NUMBERS_A_RUN + 7
    assert "hello" in lines
    assert max(numbers) < 10**15


PIECES = st.lists(
    st.tuples(st.sampled_from(["", "a", "loss=1", "30%|x| loss=2", "ü"]), st.sampled_from("\n\r")),
    max_size=30,
)


@given(pieces=PIECES, last=st.sampled_from(["", "loss=3", "b"]))
@settings(max_examples=100, deadline=None)
def test_no_metric_is_lost_between_returns_and_line_ends(
    pieces: list[tuple[str, str]], last: str
) -> None:
    data = "".join(text + end for text, end in pieces) + last
    reading, writing = os.pipe()
    os.write(writing, data.encode())
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        lines = list(texts(pipe))

    said = [text for text, _ in [*pieces, (last, "")] if "loss" in text]
    assert [line for line in lines if "loss" in line] == said
    assert len([x for x in lines if x == "a"]) <= data.count("a")

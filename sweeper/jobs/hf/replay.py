"""Which events of a log stream are new, however the platform replays the old ones.

A new connection may replay everything, only a window, a window that starts later, or each line
twice; the client's own follow counts events and so loses lines. Here an event is known by its
timestamp and text, and a metric line of the runner by the sequence number it carries
(`[sweeper 760123456000007] …`, see `aboard.py`): a reading is taken once, whatever the replay
does, and a reading that is missing is known to be missing.
"""

from __future__ import annotations

import hashlib
import json
from collections import deque
from dataclasses import dataclass
from dataclasses import field

from sweeper.jobs.aboard import NUMBERS_A_RUN
from sweeper.jobs.aboard import number_of

STARTED = "===== Job started"
RECENT = 4096  # identities kept to tell a repetition from news


@dataclass(slots=True)
class Position:
    """How far a log was read; the cursor of `tail`.

    Attributes:
        count: Lines handed out so far.
        at: Timestamp of the newest event, as the platform wrote it.
        last: Identity of the newest event, "" at the beginning.
        seen: Highest sequence number by run of the runner.
        holes: Sequence numbers below it that have not come yet, by run.
    """

    count: int = 0
    at: str = ""
    last: str = ""
    seen: dict[str, int] = field(default_factory=dict)
    holes: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def from_text(cls, text: str) -> Position:
        """Return the position behind a cursor; "" is the beginning."""
        return cls(**json.loads(text)) if text else cls()

    def as_text(self) -> str:
        """Return the position as a cursor."""
        document = {key: getattr(self, key) for key in ("count", "at", "last", "seen", "holes")}
        return json.dumps(document, separators=(",", ":"), sort_keys=True)

    def copy(self) -> Position:
        """Return a position of its own."""
        return Position.from_text(self.as_text())


class Replay:
    """Sorts the events of one log, over any number of connections, into new and known."""

    def __init__(self, position: Position) -> None:
        self.position = position
        self.starts: set[str] = set()
        self._recent: deque[str] = deque(maxlen=RECENT)
        self._known: set[str] = set()
        self._seeking = False
        self.connected()

    def connected(self) -> None:
        """A connection opens: what comes first may be old."""
        self._seeking = bool(self.position.last)

    def forget(self) -> None:
        """The log is known to its end: let go of what told repetitions from news."""
        self._recent.clear()
        self._known.clear()

    def leaps(self, at: str, text: str) -> bool:
        """Tell whether an event stands behind lines that never came: the replay began too late.

        Asking again may bring them; `is_new` takes the event all the same.
        """
        if text.startswith(STARTED):
            return False
        numbered = sequence(text)
        if numbered:
            run, number = numbered
            return number > self.position.seen.get(run, 0) + 1
        return self._seeking and at > self.position.at and identity(at, text) not in self._known

    def is_new(self, at: str, text: str) -> bool:
        """Take in one event; True if it is a line that was not handed out before.

        Args:
            at: Timestamp as the platform wrote it ("" if it gave none).
            text: The line.
        """
        if text.startswith(STARTED):
            self.starts.add(f"{at} {text}")
            return False
        event = identity(at, text)
        numbered = sequence(text)
        fresh = self._fresh_number(*numbered) if numbered else self._fresh_line(at, event)
        if fresh:
            self._advance(at, event)
        self._remember(event)
        return fresh

    def _fresh_line(self, at: str, event: str) -> bool:
        if self._seeking:
            if event == self.position.last:
                self._seeking = False
                return False
            if at <= self.position.at:
                return False
            self._seeking = False
        return event not in self._known

    def _fresh_number(self, run: str, number: int) -> bool:
        place = self.position
        highest = place.seen.get(run, 0)
        if number > highest:
            place.seen[run] = number
            place.holes.setdefault(run, []).extend(range(highest + 1, number))
            return True
        if number in place.holes.get(run, ()):
            place.holes[run].remove(number)
            return True
        return False

    def _advance(self, at: str, event: str) -> None:
        self.position.count += 1
        if at >= self.position.at:
            self.position.at, self.position.last = at, event

    def _remember(self, event: str) -> None:
        if event == self.position.last:
            self._seeking = False
        if event in self._known:
            return
        if len(self._recent) == RECENT:
            self._known.discard(self._recent[0])
        self._recent.append(event)
        self._known.add(event)


def identity(at: str, text: str) -> str:
    """Return what an event is known by."""
    return hashlib.blake2b(f"{at}\0{text}".encode(), digest_size=8).hexdigest()


def sequence(text: str) -> tuple[str, int] | None:
    """Return run and number of a line of the runner, or None for any other line."""
    number = number_of(text)
    if number is None:
        return None
    return str(number // NUMBERS_A_RUN), number % NUMBERS_A_RUN

"""A loopback server that keeps a log, refuses what its service would, and breaks on demand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl
from urllib.parse import unquote
from urllib.parse import urlsplit


@dataclass
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float = field(default_factory=time.time)

    def json(self) -> Any:
        """Return its body."""
        return json.loads(self.body)


@dataclass
class Reply:
    """One answer; `cut` bytes are withheld from the end although they were announced."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0
    delay_s: float = 0.0


def as_json(value: Any, status: int = 200, **headers: str) -> Reply:
    """Return a JSON answer; `_` in a header's name stands for `-`."""
    names = {name.replace("_", "-"): text for name, text in headers.items()}
    return Reply(status, json.dumps(value).encode(), {"Content-Type": "application/json", **names})


def as_text(text: str, kind: str = "text/html", status: int = 200) -> Reply:
    """Return a text answer."""
    return Reply(status, text.encode(), {"Content-Type": f"{kind}; charset=utf-8"})


class Refused(Exception):
    """What a strict service answers to a request that it does not document."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.reply = as_json({"error": message}, status)


def expect(seen: Seen, allowed: str = "", required: str = "") -> None:
    """Refuse undocumented or missing query parameters, as a strict service does."""
    known = {*allowed.split(), *required.split()}
    if unknown := set(seen.query) - known:
        raise Refused(400, f"unrecognized parameters {sorted(unknown)}")
    if missing := set(required.split()) - set(seen.query):
        raise Refused(400, f"missing parameters {sorted(missing)}")


class Double:
    """A service on a port of its own.

    Attributes:
        log: Every request, in order of arrival.
        faults: Answers that are given instead, one request each, first in first out.
        spoil: Changes an answer before it leaves, or None.
    """

    def __init__(self, answer: Callable[[Seen], Reply]) -> None:
        self.log: list[Seen] = []
        self.faults: list[Reply] = []
        self.spoil: Callable[[Seen, Reply], Reply] | None = None
        self._answer = answer
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()

    def paths(self) -> list[str]:
        """Return the paths that were asked for, in order."""
        return [seen.path for seen in self.log]

    def reply(self, seen: Seen) -> Reply:
        """Log a request and return its answer."""
        with self._lock:
            self.log.append(seen)
            if self.faults:
                return self.faults.pop(0)
        try:
            found = self._answer(seen)
        except Refused as exc:
            found = exc.reply
        return self.spoil(seen, found) if self.spoil else found

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        double = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True
            wbufsize = -1

            def log_message(self, *_: object) -> None:
                """Keep stderr clean."""

            def _serve(self) -> None:
                parts = urlsplit(self.path)
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                headers = {name.lower(): value for name, value in self.headers.items()}
                query = dict(parse_qsl(parts.query, keep_blank_values=True))
                reply = double.reply(Seen(self.command, unquote(parts.path), query, headers, body))
                time.sleep(reply.delay_s)
                try:
                    self.send_response(reply.status)
                    for name, value in reply.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(reply.body)))
                    self.end_headers()
                    if self.command != "HEAD":
                        self.wfile.write(reply.body[: len(reply.body) - reply.cut])
                    if reply.cut:
                        self.close_connection = True
                except OSError:
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = _serve

        return Handler

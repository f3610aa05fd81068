"""A loopback mock of the Anthropic Messages API that plays a script.

The mock stands where the model would be: the real Claude Code CLI sends its
requests here, and every answer is a *turn* written down beforehand.  Nothing
leaves the machine and no model is involved; only the standard library is used.

A script is a mapping of *lanes* to lists of turns.  The lane ``main`` is the
top-level conversation.  A subagent conversation has its own lane, named after
the ``subagent_type`` of the ``Agent`` call that started it, or ``subagent``
when no scripted call started it (a forked skill, say).  Requests without tools
(titles, summaries, prompt hooks) belong to the lane ``side``.
"""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field
from dataclasses import replace
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from typing import Any

MAIN = "main"
SIDE = "side"
SUBAGENT = "subagent"
#: The CLI marks every request of a subagent with this header.
AGENT_HEADER = "x-claude-code-agent-id"
#: Name the CLI gives to an ``Agent`` call without a ``subagent_type``.
DEFAULT_AGENT = "general-purpose"

Block = dict


# --------------------------------------------------------------------------
# Script vocabulary


@dataclass
class Turn:
    """One assistant message: content blocks, or an API error instead."""

    blocks: list[Block] = field(default_factory=list)
    stop_reason: str | None = None
    delay: float = 0.0
    status: int = 200
    error_type: str = "api_error"
    usage: Mapping[str, int] | None = None


def say(text: str) -> Block:
    return {"type": "text", "text": text}


def tool(name: str, /, **inputs: Any) -> Block:
    """Any tool call; the id is filled in when the turn is played."""
    return {"type": "tool_use", "name": name, "input": inputs}


def bash(command: str, **kw: Any) -> Block:
    return tool("Bash", command=command, **kw)


def agent(subagent_type: str, prompt: str, **kw: Any) -> Block:
    """Call a subagent.  Foreground unless ``run_in_background`` says otherwise."""
    kw.setdefault("description", "scripted subagent")
    kw.setdefault("run_in_background", False)
    return tool("Agent", subagent_type=subagent_type, prompt=prompt, **kw)


def skill(name: str, args: str | None = None) -> Block:
    return tool("Skill", skill=name, **({"args": args} if args is not None else {}))


def api_error(status: int, error_type: str = "api_error") -> Turn:
    """Make the API refuse this request (429 and 5xx are retried by the CLI)."""
    return Turn(status=status, error_type=error_type)


#: What a script may hold: a turn, a block, a list of blocks, plain text, or a
#: function of the recorded request that returns any of these.
TurnLike = Turn | Block | Sequence[Block] | str | Callable[["Request"], Any]


def as_turn(item: TurnLike, request: Request) -> Turn:
    if callable(item) and not isinstance(item, Turn):
        return as_turn(item(request), request)
    if isinstance(item, Turn):
        return item
    if isinstance(item, str):
        return Turn([say(item)])
    if isinstance(item, Mapping):
        return Turn([dict(item)])
    return Turn([say(b) if isinstance(b, str) else dict(b) for b in item])


# --------------------------------------------------------------------------
# What the CLI sent


def text_of(content: Any) -> str:
    """Flatten message content (string, block or list of blocks) to text."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, Mapping):
        kind = content.get("type")
        if kind == "tool_result":
            return text_of(content.get("content"))
        if kind == "tool_use":
            return json.dumps(content.get("input"), sort_keys=True)
        return str(content.get("text") or content.get("thinking") or "")
    return "\n".join(filter(None, (text_of(b) for b in content)))


@dataclass(frozen=True)
class ToolResult:
    id: str
    text: str
    is_error: bool


@dataclass
class Request:
    """One recorded API request."""

    seq: int
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    lane: str = ""
    turn: int = -1
    at: float = field(default_factory=time.monotonic)

    @property
    def is_message(self) -> bool:
        return self.method == "POST" and self.path.split("?")[0].endswith("/v1/messages")

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.body.get("messages") or [])

    @property
    def tools(self) -> list[dict[str, Any]]:
        return list(self.body.get("tools") or [])

    @property
    def tool_names(self) -> list[str]:
        return [t.get("name", "") for t in self.tools]

    @property
    def system_text(self) -> str:
        """The system prompt plus mid-conversation system messages."""
        parts = [text_of(self.body.get("system"))]
        parts += [text_of(m.get("content")) for m in self.messages if m.get("role") == "system"]
        return "\n".join(filter(None, parts))

    @property
    def persona(self) -> str:
        """How the system prompt opens, past the blocks every conversation shares."""
        system = self.body.get("system")
        last = system[-1] if isinstance(system, list) and system else system
        return text_of(last).strip()[:120]

    @property
    def text(self) -> str:
        """Everything the model would read: prompt, messages and tool texts."""
        parts = [text_of(self.body.get("system"))]
        parts += [text_of(m.get("content")) for m in self.messages]
        parts += [json.dumps(t) for t in self.tools]
        return "\n".join(parts)

    @property
    def first_user_text(self) -> str:
        for message in self.messages:
            if message.get("role") == "user":
                return text_of(message.get("content"))
        return ""

    def tool_results(self) -> dict[str, ToolResult]:
        out: dict[str, ToolResult] = {}
        for message in self.messages:
            content = message.get("content")
            if message.get("role") != "user" or not isinstance(content, list):
                continue
            for block in content:
                if block.get("type") == "tool_result":
                    out[block["tool_use_id"]] = ToolResult(
                        block["tool_use_id"], text_of(block), bool(block.get("is_error"))
                    )
        return out


# --------------------------------------------------------------------------
# The server


class MockAPI:
    """Plays ``script`` on 127.0.0.1 and records what it was asked.

    ``lane_of`` may override how a request is assigned to a lane; returning
    ``None`` falls back to the default rule.
    """

    def __init__(
        self,
        script: Mapping[str, Iterable[TurnLike]] | Iterable[TurnLike],
        *,
        lane_of: Callable[[Request], str | None] | None = None,
        fallback: TurnLike = "(script exhausted)",
    ) -> None:
        if not isinstance(script, Mapping):
            script = {MAIN: script}
        self._script = {lane: list(turns) for lane, turns in script.items()}
        self._lane_of = lane_of
        self._fallback = fallback
        self._cursor: dict[str, int] = {}
        self._played: dict[tuple[str, str], tuple[int, Turn]] = {}
        self._spawned: list[tuple[str, str]] = []  # (prompt, lane)
        self._agents: dict[str, str] = {}  # agent id -> lane
        self._persona = ""  # of the main conversation
        self._lock = threading.Lock()
        self.requests: list[Request] = []
        #: Requests answered with the fallback because their lane had no turn left.
        self.unscripted: list[Request] = []
        #: tool_use id -> (lane, block) for every call the script made.
        self.calls: dict[str, tuple[str, Block]] = {}
        self._server: ThreadingHTTPServer | None = None

    # -- life cycle

    def __enter__(self) -> MockAPI:
        mock = self

        class Handler(_Handler):
            api = mock

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def url(self) -> str:
        assert self._server is not None, "use the mock as a context manager"
        return f"http://127.0.0.1:{self._server.server_port}"

    # -- views

    def lane(self, name: str) -> list[Request]:
        return [r for r in self.requests if r.lane == name]

    def left(self) -> dict[str, int]:
        """Turns that were never asked for, per lane."""
        left = {
            lane: len(turns) - self._cursor.get(lane, 0) for lane, turns in self._script.items()
        }
        return {lane: n for lane, n in left.items() if n > 0}

    # -- playing

    def record(self, method: str, path: str, headers: dict[str, str], body: Any) -> Request:
        headers = {k.lower(): v for k, v in headers.items()}
        headers.pop("x-api-key", None)
        headers.pop("authorization", None)
        with self._lock:
            request = Request(
                len(self.requests), method, path, headers, body if isinstance(body, dict) else {}
            )
            self.requests.append(request)
        return request

    def answer(self, request: Request) -> Turn:
        with self._lock:
            request.lane = self._lane(request)
            # The CLI repeats a request verbatim when a stream breaks or the API
            # errs; a repeat is played the same turn, except after an API error.
            digest = hashlib.sha256(
                json.dumps(request.body.get("messages"), sort_keys=True).encode()
            ).hexdigest()
            key = (request.lane, digest)
            if key in self._played:
                request.turn, turn = self._played[key]
                if turn.status == 200:
                    return turn
            request.turn = self._cursor.get(request.lane, 0)
            turns = self._script.get(request.lane, [])
            scripted = request.turn < len(turns)
            item = turns[request.turn] if scripted else self._fallback
            if scripted:
                self._cursor[request.lane] = request.turn + 1
            elif request.lane != SIDE:
                self.unscripted.append(request)
            turn = as_turn(item, request)
            turn = replace(turn, blocks=[dict(b) for b in turn.blocks])
            for n, block in enumerate(turn.blocks):
                if block.get("type") != "tool_use":
                    continue
                block.setdefault("id", f"toolu_{request.seq:03d}_{n:02d}")
                self.calls[block["id"]] = (request.lane, block)
                if block["name"] in ("Agent", "Task"):
                    kind = block["input"].get("subagent_type") or DEFAULT_AGENT
                    self._spawned.append((block["input"].get("prompt", ""), kind))
            self._played[key] = (request.turn, turn)
            return turn

    def _lane(self, request: Request) -> str:
        if self._lane_of is not None:
            lane = self._lane_of(request)
            if lane is not None:
                return lane
        if not request.tools:
            return SIDE
        agent_id = request.headers.get(AGENT_HEADER)
        if agent_id is None:
            # Older versions do not mark a forked skill; its persona gives it away.
            self._persona = self._persona or request.persona
            return MAIN if request.persona == self._persona else SUBAGENT
        if agent_id not in self._agents:
            first = request.first_user_text
            kinds = [kind for prompt, kind in self._spawned if prompt and prompt in first]
            self._agents[agent_id] = kinds[-1] if kinds else SUBAGENT
        return self._agents[agent_id]


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up (the CLI exiting, being killed) is no event."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    api: MockAPI

    def log_message(self, format: str, *args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self.api.record(self.command, self.path, dict(self.headers), None)
        self._json(404, {"type": "error", "error": {"type": "not_found_error", "message": "mock"}})

    do_HEAD = do_GET

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = {}
        request = self.api.record(self.command, self.path, dict(self.headers), body)
        if self.path.split("?")[0].endswith("/count_tokens"):
            self._json(200, {"input_tokens": max(1, len(raw) // 4)})
            return
        if not request.is_message:
            self._json(
                404, {"type": "error", "error": {"type": "not_found_error", "message": "mock"}}
            )
            return
        turn = self.api.answer(request)
        if turn.delay:
            time.sleep(turn.delay)
        if turn.status != 200:
            self._json(
                turn.status,
                {"type": "error", "error": {"type": turn.error_type, "message": "scripted error"}},
                {"retry-after": "0"},
            )
            return
        message = self._message(request, turn)
        if body.get("stream"):
            self._stream(message)
        else:
            self._json(200, message)

    @staticmethod
    def _message(request: Request, turn: Turn) -> dict[str, Any]:
        calls = any(b.get("type") == "tool_use" for b in turn.blocks)
        return {
            "id": f"msg_{request.seq:04d}",
            "type": "message",
            "role": "assistant",
            "model": request.body.get("model", "mock"),
            "content": turn.blocks,
            "stop_reason": turn.stop_reason or ("tool_use" if calls else "end_turn"),
            "stop_sequence": None,
            "usage": {
                "input_tokens": 10,
                "output_tokens": 5,
                "cache_creation_input_tokens": 0,
                "cache_read_input_tokens": 0,
                **(turn.usage or {}),
            },
        }

    def _stream(self, message: dict[str, Any]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("cache-control", "no-cache")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True

        def emit(kind: str, **payload: Any) -> None:
            data = json.dumps({"type": kind, **payload})
            self.wfile.write(f"event: {kind}\ndata: {data}\n\n".encode())
            self.wfile.flush()

        opening = {**message, "content": [], "stop_reason": None}
        emit("message_start", message=opening)
        for index, block in enumerate(message["content"]):
            if block["type"] == "tool_use":
                start = {**block, "input": {}}
                delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
            else:
                start = {"type": "text", "text": ""}
                delta = {"type": "text_delta", "text": block.get("text", "")}
            emit("content_block_start", index=index, content_block=start)
            emit("content_block_delta", index=index, delta=delta)
            emit("content_block_stop", index=index)
        emit(
            "message_delta",
            delta={"stop_reason": message["stop_reason"], "stop_sequence": None},
            usage=message["usage"],
        )
        emit("message_stop")

    def _json(self, status: int, payload: Any, headers: Mapping[str, str] | None = None) -> None:
        data = json.dumps(payload).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

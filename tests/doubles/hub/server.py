"""The HTTP server: routes, authentication, the request log, the faults around a request."""

from __future__ import annotations

import contextlib
import json
import re
import secrets
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from urllib.parse import unquote
from urllib.parse import urlsplit

from tests.doubles.hub import api_jobs
from tests.doubles.hub import api_repos
from tests.doubles.hub import jobspec
from tests.doubles.hub import stream
from tests.doubles.hub.account import Account
from tests.doubles.hub.account import Token
from tests.doubles.hub.clock import Clock
from tests.doubles.hub.faults import Faults
from tests.doubles.hub.jobs import Jobs
from tests.doubles.hub.refusal import Refusal
from tests.doubles.hub.repos import Repos

KIND = r"(models|datasets|spaces)"
REPO = rf"/api/{KIND}/([^/]+)/([^/]+)"
ROUTES: list[tuple[str, str, str, Callable[..., Any]]] = [
    ("whoami", "GET", r"/api/whoami-v2", lambda hub, r: hub.account.whoami(r.token)),
    ("hardware", "GET", r"/api/jobs/hardware", api_jobs.hardware),
    ("usage", "GET", r"/api/settings/billing/usage/jobs", api_jobs.usage),
    ("submit", "POST", r"/api/jobs/([^/]+)", api_jobs.submit),
    ("list", "GET", r"/api/jobs/([^/]+)", api_jobs.listing),
    ("count", "GET", r"/api/jobs/([^/]+)/count", api_jobs.count),
    ("auth-check", "POST", r"/api/jobs/([^/]+)/auth-check/(read|write)", api_jobs.auth_check),
    ("inspect", "GET", r"/api/jobs/([^/]+)/([0-9a-f]{24})", api_jobs.inspect),
    ("cancel", "POST", r"/api/jobs/([^/]+)/([0-9a-f]{24})/cancel", api_jobs.cancel),
    ("labels", "PUT", r"/api/jobs/([^/]+)/([0-9a-f]{24})/labels", api_jobs.labels),
    ("schedule", "POST", r"/api/scheduled-jobs/([^/]+)", api_jobs.schedule),
    ("schedules", "GET", r"/api/scheduled-jobs/([^/]+)", api_jobs.schedules),
    ("scheduled", "GET|DELETE", r"/api/scheduled-jobs/([^/]+)/([0-9a-f]{24})", api_jobs.scheduled),
    (
        "steer",
        "POST",
        r"/api/scheduled-jobs/([^/]+)/([0-9a-f]{24})/(suspend|resume|run)",
        api_jobs.steer,
    ),
    ("repo-create", "POST", r"/api/repos/create", api_repos.create),
    ("repo-delete", "DELETE", r"/api/repos/delete", api_repos.delete),
    ("validate-yaml", "POST", r"/api/validate-yaml", api_repos.validate_yaml),
    ("repo-info", "GET", REPO + r"(?:/revision/([^/]+))?", api_repos.info),
    ("refs", "GET", REPO + r"/refs", api_repos.refs),
    ("repo-auth-check", "GET", REPO + r"/auth-check", api_repos.auth_check),
    ("tag", "POST|DELETE", REPO + r"/tag/([^/]+)", api_repos.tag),
    ("branch", "POST|DELETE", REPO + r"/branch/([^/]+)", api_repos.branch),
    ("preupload", "POST", REPO + r"/preupload/([^/]+)", api_repos.preupload),
    ("commit", "POST", REPO + r"/commit/([^/]+)", api_repos.commit),
    ("tree", "GET", REPO + r"/tree/([^/]+)", api_repos.tree),
    (
        "lfs-batch",
        "POST",
        r"/(datasets/|spaces/|)([^/]+)/([^/]+)\.git/info/lfs/objects/batch",
        api_repos.lfs_batch,
    ),
    ("lfs-put", "PUT", r"/_lfs/([0-9a-f]{64})", api_repos.lfs_put),
    (
        "resolve",
        "GET|HEAD",
        r"/(datasets/|spaces/|)([^/]+)/([^/]+)/resolve/(.+)",
        api_repos.resolve,
    ),
]
LOGS = re.compile(r"/api/jobs/([^/]+)/([0-9a-f]{24})/logs")


@dataclass
class Request:
    """One request, as far as the routes need it."""

    hub: Hub
    method: str
    path: str
    query: list[tuple[str, str]]
    headers: dict[str, str]
    body: bytes
    route: str = ""
    status: int = 0
    at: float = field(default_factory=time.time)
    headers_out: dict[str, str] = field(default_factory=dict)

    @property
    def token(self) -> Token:
        """The token it bears, or a 401."""
        return self.hub.account.authenticate(self.headers.get("authorization"))

    def json(self) -> Any:
        """Return the body as JSON, or refuse."""
        try:
            return json.loads(self.body)
        except ValueError:
            raise Refusal(400, "body is not JSON") from None

    def link_next(self, cursor: int) -> None:
        """Set the Link header to the next page."""
        rest = [f"{k}={v}" for k, v in self.query if k != "cursor"]
        address = f"{self.hub.endpoint}{self.path}?{'&'.join([*rest, f'cursor={cursor}'])}"
        self.headers_out["Link"] = f'<{address}>; rel="next"'


class Hub:
    """The double; use it as a context manager.

    Attributes:
        endpoint: What belongs into HF_ENDPOINT.
        token: A valid token with the role write.
        requests: Every request that came in, with route and status.
        page_size: Jobs per page of the listing.
        cancel_finished_status: Status for cancelling a finished job; 0 means 200.
    """

    def __init__(self, *, clock_factor: float = 1.0, clock_skew_s: float = 0.0) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="loopback-hub-"))
        self.clock = Clock(clock_factor, clock_skew_s)
        self.faults = Faults()
        self.account = Account()
        self.repos = Repos()
        self.jobs = Jobs(self.clock, self.faults, self.folder, self._mount)
        self.hardware = jobspec.hardware()
        self.scheduled: dict[str, dict[str, Any]] = {}
        self.requests: list[Request] = []
        self.page_size = 100
        self.cancel_finished_status = 0
        self.closing = False
        self.token = self.account.issue()
        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.hub = self
        self.endpoint = f"http://127.0.0.1:{self._server.server_address[1]}"
        self.jobs.endpoint = self.endpoint
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def __enter__(self) -> Hub:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing = True
        self.jobs.close()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
        shutil.rmtree(self.folder, ignore_errors=True)

    def count(self, route: str) -> int:
        """Return how many requests of one route came in."""
        return sum(request.route == route for request in self.requests)

    def _mount(self, volume: dict[str, Any], cwd: Path) -> Path:
        """Write a volume's files where the job's process finds them."""
        target = cwd / "volumes" / volume["mountPath"].strip("/")
        target.mkdir(parents=True)
        if volume["type"] in ("model", "dataset", "space"):
            repo = self.repos.get(volume["type"], volume["source"])
            files = repo.commits[repo.resolve(volume.get("revision") or "main")]
            for path, data in files.items():
                (target / path).parent.mkdir(parents=True, exist_ok=True)
                (target / path).write_bytes(data)
        return target


class Server(ThreadingHTTPServer):
    """A server whose connections die with it."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256
    hub: Hub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Followers that leave are no error."""


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing on stderr."""

    def do_GET(self) -> None:
        """Answer GET, and every other method."""
        self.close_connection = False
        request = self._received()
        try:
            self._answer(request)
        except Refusal as refusal:
            request.status = refusal.status
            self._refuse(refusal)
        except (BrokenPipeError, ConnectionError):
            self.close_connection = True

    do_POST = do_PUT = do_DELETE = do_HEAD = do_GET

    def _received(self) -> Request:
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        chunked = self.headers.get("Transfer-Encoding", "").lower() == "chunked"
        headers = {key.lower(): value for key, value in self.headers.items()}
        body = self._chunks() if chunked else self.rfile.read(length)
        query = parse_qsl(parts.query, keep_blank_values=True)
        return Request(self.server.hub, self.command, parts.path, query, headers, body)

    def _chunks(self) -> bytes:
        """Return a body that came in chunks."""
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, request: Request) -> None:
        hub = self.server.hub
        if request.path.startswith("/_control/"):
            self.reply(200, control(hub, request))
            return
        if request.path == "/api/agent-harnesses":
            raise Refusal(404, "not here")
        hub.requests.append(request)
        logs = LOGS.fullmatch(request.path)
        request.route = "logs" if logs else ""
        action = self._action(request)
        if self._spoiled(request, before=True):
            return
        if logs:
            request.status = 200
            stream.serve(hub, self, request, *logs.groups())
            return
        body = action()
        if self._spoiled(request, before=False):
            return
        request.status = 200
        self.reply(200, body, request.headers_out)

    def _action(self, request: Request) -> Callable[[], Any]:
        for name, methods, pattern, route in ROUTES:
            found = re.fullmatch(pattern, request.path)
            if found and request.method in methods.split("|"):
                request.route = name
                given = [unquote(g) if g is not None else "main" for g in found.groups()]
                return lambda: route(request.hub, request, *given)
        if request.route:
            return lambda: None
        raise Refusal(404, f"no route for {request.method} {request.path}")

    def _spoiled(self, request: Request, *, before: bool) -> bool:
        """Let the faults around a request strike; True if there is nothing left to do."""
        faults, route = request.hub.faults, request.route
        for kind in ("delay", "cut" if before else "lost_response", "status"):
            fault = faults.peek(kind, route=route)
            if not fault or (kind in ("delay", "status") and bool(fault.get("after")) == before):
                continue
            faults.strike(kind, route=route)
            if kind == "delay":
                time.sleep(fault["seconds"])
                continue
            if kind == "status":
                wait = fault.get("retry_after")
                headers = {} if wait is None else {"Retry-After": str(wait)}
                raise Refusal(fault.get("status", 500), "struck by a fault", headers=headers)
            self.cut()
            return True
        return False

    def _refuse(self, refusal: Refusal) -> None:
        headers = {"X-Error-Message": refusal.message.encode("ascii", "replace").decode()}
        if refusal.code:
            headers["X-Error-Code"] = refusal.code
        self.reply(refusal.status, {"error": refusal.message}, {**headers, **refusal.headers})

    def reply(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        """Send a whole answer: JSON, or bytes as they are."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        given = {"Content-Type": kind, "X-Request-Id": secrets.token_hex(8), **(headers or {})}
        self.send_response(status)
        for key, value in given.items():
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def open_chunked(self, kind: str) -> None:
        """Begin an answer whose length is not known."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        """Send a piece of such an answer."""
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def close_chunked(self) -> None:
        """End such an answer properly."""
        self.wfile.write(b"0\r\n\r\n")

    def cut(self) -> None:
        """Cut the connection in the middle."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def control(hub: Hub, request: Request) -> Any:
    """Serve /_control/: arm faults, read the request log and the jobs from another process."""
    if request.path == "/_control/faults" and request.method == "POST":
        return hub.faults.arm(**request.json())
    if request.path == "/_control/faults" and request.method == "DELETE":
        hub.faults.clear()
        return {}
    if request.path == "/_control/requests":
        return [{"route": r.route, "method": r.method, "path": r.path, "status": r.status,
                 "at": r.at} for r in hub.requests]  # fmt: skip
    if request.path == "/_control/jobs":
        return [{**hub.jobs.document(job), "billedMicroUsd": job.billed_micro_usd}
                for job in hub.jobs.all]  # fmt: skip
    raise Refusal(404, "control: faults, requests, jobs")

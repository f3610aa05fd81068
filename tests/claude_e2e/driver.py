"""Run the real Claude Code CLI, non-interactively, against the scripted mock.

The CLI gets a fresh home, a fake key, a loopback base URL and an environment
built from nothing, so neither the configuration nor the credentials of the
machine are read, and nothing is sent anywhere.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from collections.abc import Iterable
from collections.abc import Mapping
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.claude_e2e.mock_api import MAIN
from tests.claude_e2e.mock_api import MockAPI
from tests.claude_e2e.mock_api import Request
from tests.claude_e2e.mock_api import ToolResult
from tests.claude_e2e.mock_api import TurnLike
from tests.claude_e2e.mock_api import text_of

FAKE_KEY = "sk-ant-fake"
LOOPBACK = "127.0.0.1"
NOWHERE = f"http://{LOOPBACK}:9"  # for CLI subcommands, which ask no model: nobody answers here
QUIET = {
    "DISABLE_TELEMETRY": "1",
    "DISABLE_AUTOUPDATER": "1",
    "DISABLE_ERROR_REPORTING": "1",
    "DISABLE_BUG_COMMAND": "1",
    "DISABLE_COST_WARNINGS": "1",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
}


class CLIMissing(RuntimeError):
    """No Claude Code CLI to test with."""


def find_cli(explicit: str | os.PathLike[str] | None = None) -> Path:
    """The CLI named by the argument, by ``CLAUDE_CLI``, or found on PATH."""
    named = explicit or os.environ.get("CLAUDE_CLI")
    found = shutil.which(str(named or "claude"))
    if found is None:
        where = (
            f"CLAUDE_CLI={named}" if named else "CLAUDE_CLI is not set and PATH has no 'claude'"
        )
        raise CLIMissing(
            f"Claude Code CLI not available ({where}); install it with "
            "'npm install @anthropic-ai/claude-code' and set CLAUDE_CLI to its path"
        )
    return Path(found).absolute()


# --------------------------------------------------------------------------
# A clean place to run in


class Sandbox:
    """A throwaway home for the CLI; ``with Sandbox() as box`` removes it again."""

    def __init__(
        self,
        cli: str | os.PathLike[str] | None = None,
        *,
        path: Sequence[str | os.PathLike[str]] = (),
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.cli = find_cli(cli)
        self._tmp = tempfile.TemporaryDirectory(prefix="claude-e2e-", ignore_cleanup_errors=True)
        self.root = Path(self._tmp.name)
        self.home = self.root / "home"
        self.config = self.home / ".claude"
        self.config.mkdir(parents=True)
        self.extra_path = [str(p) for p in path]
        self.extra_env = dict(env or {})

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *exc: object) -> None:
        self._tmp.cleanup()

    def env(self, base_url: str = NOWHERE, **extra: str) -> dict[str, str]:
        """The complete environment of the CLI; nothing is inherited."""
        if urlsplit(base_url).hostname != LOOPBACK:
            raise ValueError(f"the CLI may only talk to {LOOPBACK}, not to {base_url}")
        path = [*self.extra_path, str(Path(sys.executable).parent), *os.defpath.split(os.pathsep)]
        if not _is_native(self.cli):
            path += [str(Path(node).parent) for node in [shutil.which("node")] if node]
        return {
            "PATH": os.pathsep.join(path),
            "LANG": "C.UTF-8",
            "SHELL": shutil.which("bash") or "sh",
            **QUIET,
            **self.extra_env,
            **extra,
            # Not for the caller to change: these keep the run on this machine.
            "HOME": str(self.home),
            "CLAUDE_CONFIG_DIR": str(self.config),
            "TMPDIR": str(self.root),
            "ANTHROPIC_BASE_URL": base_url,
            "ANTHROPIC_API_KEY": FAKE_KEY,
        }

    def settings(self, **values: Any) -> Path:
        """Write the user settings of this home (merging into what is there)."""
        path = self.config / "settings.json"
        current = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**current, **values}, indent=2))
        return path

    def claude(
        self,
        *args: str,
        cwd: str | os.PathLike[str] | None = None,
        timeout: float = 60,
        stdin: str = "",
        **env: str,
    ) -> subprocess.CompletedProcess[str]:
        """A CLI subcommand (``plugin validate``, ``plugin install`` ...)."""
        code, out, err = _run(
            [str(self.cli), *args], self.env(**env), cwd or self.root, timeout, stdin
        )
        return subprocess.CompletedProcess(list(args), code, out, err)

    def version(self) -> tuple[int, ...]:
        words = self.claude("--version").stdout.split()
        return tuple(int(n) for n in words[0].split(".")) if words else ()

    def install(self, marketplace: str | os.PathLike[str], plugin: str) -> str:
        """Add a local marketplace folder, install one of its plugins, return its id."""
        catalogue = Path(marketplace) / ".claude-plugin" / "marketplace.json"
        id = f"{plugin}@{json.loads(catalogue.read_text())['name']}"
        self.must("plugin", "marketplace", "add", str(marketplace))
        self.must("plugin", "install", id)
        return id

    def must(self, *args: str) -> str:
        """A CLI subcommand that has to succeed; returns what it printed."""
        done = self.claude(*args)
        if done.returncode:
            raise RuntimeError(f"claude {' '.join(args)} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


def _is_native(path: Path) -> bool:
    with path.open("rb") as handle:
        return handle.read(2) != b"#!"


def _run(
    command: Sequence[str],
    env: Mapping[str, str],
    cwd: str | os.PathLike[str],
    timeout: float,
    stdin: str,
) -> tuple[int, str, str]:
    """Run in a session of its own, so that a timeout ends exactly what we started."""
    process = subprocess.Popen(
        command,
        env=dict(env),
        cwd=cwd,
        text=True,
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        out, err = process.communicate(stdin, timeout=timeout)
    except subprocess.TimeoutExpired:
        process.terminate()  # on which the CLI ends the commands it is running
        try:
            out, err = process.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, err = process.communicate()
        raise TimeoutError(
            f"{' '.join(command[:6])} ... did not end within {timeout} s\n"
            f"{out[-2000:]}\n{err[-2000:]}"
        ) from None
    return process.returncode, out, err


# --------------------------------------------------------------------------
# What happened


@dataclass(frozen=True)
class HookEvent:
    """One run of a hook, as the CLI reports it with --include-hook-events."""

    name: str  # e.g. "PreToolUse:Bash"
    event: str  # e.g. "PreToolUse"
    outcome: str  # "success", "error", "cancelled"
    exit_code: int | None
    stdout: str
    stderr: str

    @property
    def decision(self) -> str | None:
        """The permission decision it printed, or "deny" for exit code 2."""
        if self.exit_code == 2:
            return "deny"
        return self._specific.get("permissionDecision")

    @property
    def objection(self) -> str:
        """The reason it gave against a call, if it objected."""
        if self.decision not in ("deny", "ask"):
            return ""
        return self._specific.get("permissionDecisionReason") or self.stderr.strip()

    @property
    def _specific(self) -> dict[str, Any]:
        try:
            return json.loads(self.stdout)["hookSpecificOutput"]
        except (ValueError, KeyError, TypeError):
            return {}


@dataclass
class Call:
    """One scripted tool call and what became of it."""

    id: str
    lane: str
    name: str
    input: dict[str, Any]
    result: ToolResult | None
    structured: Any = None
    denied: bool = False

    @property
    def answered(self) -> bool:
        return self.result is not None

    @property
    def rejected(self) -> bool:
        """The CLI would not even consider the call (unknown tool, bad input)."""
        return self.answered and self.text.startswith("<tool_use_error>")

    @property
    def executed(self) -> bool:
        """The tool ran (whether or not it succeeded)."""
        return self.answered and not self.denied and not self.rejected

    @property
    def text(self) -> str:
        """What the model was told: the tool's output, or why it was refused."""
        return self.result.text if self.result else ""

    @property
    def output(self) -> str:
        return self.text if self.executed else ""

    @property
    def reason(self) -> str:
        return self.text if self.denied else ""


@dataclass
class Run:
    """A finished session."""

    code: int
    events: list[dict[str, Any]]
    stderr: str
    seconds: float
    api: MockAPI
    debug: str = ""

    @property
    def requests(self) -> list[Request]:
        return [r for r in self.api.requests if r.is_message]

    @property
    def init(self) -> dict[str, Any]:
        return next((e for e in self.events if e.get("subtype") == "init"), {})

    @property
    def plugins(self) -> list[str]:
        """Names of the plugins that loaded (some are built in)."""
        return [p["name"] for p in self.init.get("plugins") or []]

    @property
    def plugin_errors(self) -> list[dict[str, Any]]:
        """A plugin that fails to load is only reported here: the session goes on without it."""
        return list(self.init.get("plugin_errors") or [])

    @property
    def result(self) -> dict[str, Any]:
        return next((e for e in reversed(self.events) if e.get("type") == "result"), {})

    @property
    def hooks(self) -> list[HookEvent]:
        return [
            HookEvent(
                e.get("hook_name", ""),
                e.get("hook_event", ""),
                e.get("outcome", ""),
                e.get("exit_code"),
                e.get("stdout") or "",
                e.get("stderr") or "",
            )
            for e in self.events
            if e.get("subtype") == "hook_response"
        ]

    @property
    def calls(self) -> list[Call]:
        """Every scripted tool call, in the order it was made."""
        results: dict[str, ToolResult] = {}
        for request in self.requests:
            results.update(request.tool_results())
        structured: dict[str, Any] = {}
        for event in self.events:
            if event.get("type") != "user":
                continue
            content = (event.get("message") or {}).get("content")
            for block in content if isinstance(content, list) else []:
                if block.get("type") == "tool_result":
                    structured[block["tool_use_id"]] = event.get("tool_use_result")
                    results.setdefault(
                        block["tool_use_id"],
                        ToolResult(
                            block["tool_use_id"], text_of(block), bool(block.get("is_error"))
                        ),
                    )
        refused = {d.get("tool_use_id") for d in self.result.get("permission_denials") or []}
        refused |= {
            e.get("tool_use_id") for e in self.events if e.get("subtype") == "permission_denied"
        }
        quoted = [h.objection for h in self.hooks if h.objection]
        return [
            Call(
                id,
                lane,
                block["name"],
                block["input"],
                results.get(id),
                structured.get(id),
                denied=id in refused or _refused(results.get(id), quoted),
            )
            for id, (lane, block) in self.api.calls.items()
        ]

    def call(self, n: int = 0, *, name: str | None = None, lane: str | None = None) -> Call:
        chosen = [
            c
            for c in self.calls
            if (name is None or c.name == name) and (lane is None or c.lane == lane)
        ]
        return chosen[n]

    def told(self, lane: str = MAIN, n: int = 0) -> str:
        """All text in the n-th request of a lane: what the model could read."""
        return self.api.lane(lane)[n].text


#: How the CLI words its own refusals.  It lists the refusals of the main
#: conversation itself; older versions say nothing elsewhere about a subagent's.
_REFUSALS = (
    "requires approval",
    "needs approval",
    "haven't granted it",
    "Permission to use",
    "was blocked. For security",
)


def _refused(result: ToolResult | None, objections: Sequence[str]) -> bool:
    """Whether an error given for a tool call quotes a hook's objection or a refusal."""
    if result is None or not result.is_error:
        return False
    return any(words in result.text for words in (*objections, *_REFUSALS))


# --------------------------------------------------------------------------
# The driver


def run_script(
    plugin_dir: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] | None,
    project_dir: str | os.PathLike[str],
    turns: Mapping[str, Iterable[TurnLike]] | Iterable[TurnLike],
    *,
    prompt: str = "Begin.",
    sandbox: Sandbox | None = None,
    cli: str | os.PathLike[str] | None = None,
    permission_mode: str | None = None,
    allowed_tools: Sequence[str] = (),
    disallowed_tools: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    args: Sequence[str] = (),
    env: Mapping[str, str] | None = None,
    timeout: float = 120,
    lane_of: Callable[[Request], str | None] | None = None,
    debug: bool = False,
) -> Run:
    """Play ``turns`` to ``claude -p`` and return what it did with them.

    ``plugin_dir`` is loaded with ``--plugin-dir``; pass ``None`` to use the
    plugins installed in ``sandbox`` instead.  ``turns`` is a list for the main
    conversation, or a mapping of lanes (see ``mock_api``).  ``settings`` go in
    through ``--settings``.
    """
    own = sandbox is None
    box = sandbox or Sandbox(cli)
    try:
        command = [
            str(box.cli),
            "-p",
            "--output-format",
            "stream-json",
            "--verbose",
            "--include-hook-events",
        ]
        dirs = [] if plugin_dir is None else plugin_dir
        for directory in [dirs] if isinstance(dirs, (str, os.PathLike)) else dirs:
            command += ["--plugin-dir", str(directory)]
        if permission_mode:
            command += ["--permission-mode", permission_mode]
        if allowed_tools:
            command += ["--allowedTools", *allowed_tools]
        if disallowed_tools:
            command += ["--disallowedTools", *disallowed_tools]
        if settings:
            command += ["--settings", json.dumps(settings)]
        log = box.root / f"debug-{time.monotonic_ns()}.log"
        if debug:
            command += ["--debug-file", str(log)]
        command += args
        extra = dict(env or {})
        if permission_mode == "bypassPermissions":
            extra.setdefault("IS_SANDBOX", "1")  # else the CLI refuses this mode to root
        with MockAPI(turns, lane_of=lane_of) as api:
            began = time.monotonic()
            # The prompt goes in on stdin: --allowedTools would swallow an argument.
            code, out, err = _run(command, box.env(api.url, **extra), project_dir, timeout, prompt)
            seconds = time.monotonic() - began
        events = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        return Run(
            code, events, err, seconds, api, log.read_text() if debug and log.exists() else ""
        )
    finally:
        if own:
            box.__exit__()

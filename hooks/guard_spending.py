"""PreToolUse: prints `guard:` and the decision, or exits 2 with the reason. See hooks.json.

The shell around it demands the word `guard:`, so that whatever else happens here refuses the call.
"""

import _signal  # type: ignore[import-not-found]  # `signal` costs ten times as much
import posix
import sys

_signal.alarm(8)  # its own end, before Claude Code's time limit lets the call through


def main() -> int:
    """Judge the call on stdin."""
    import _json

    root = posix.fspath(__file__).rsplit("/", 2)[0]
    sys.path.insert(0, root)
    from sweeper.budget import guard

    text = sys.stdin.buffer.read().decode("utf-8", "replace").strip()
    call, _ = _json.make_scanner(Plain)(text, 0)  # type: ignore[arg-type]
    project = posix.environ.get(b"CLAUDE_PROJECT_DIR", b"").decode("utf-8", "replace")
    answer = guard.judge(call, root, project)
    if answer is None:
        sys.stdout.write("guard:")
        return 0
    decision, reason = answer
    said = _json.encode_basestring_ascii("ml-research: " + reason)
    sys.stdout.write(
        'guard:{"hookSpecificOutput": {"hookEventName": "PreToolUse", '
        f'"permissionDecision": "{decision}", "permissionDecisionReason": {said}}}}}\n'
    )
    if decision == "deny":
        sys.stderr.write("ml-research: " + reason + "\n")
        return 2
    return 0


class Plain:
    """What `_json` asks of a decoder; the module around it costs more than all the rest."""

    strict = False
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict[str, str]


Plain.memo = {}


try:
    code = main()
except BaseException as error:  # whatever it is, the call is not let through
    sys.stderr.write(f"ml-research: the spending guard failed ({type(error).__name__}: {error})\n")
    code = 2
sys.stdout.flush()
posix._exit(code)

"""What looks like spending in a shell command: Hub jobs, uploads, deletes, and our own commands.

Standard library only and 3.9-clean. `spending` reads commands as the shell would; where text is
handed to an interpreter, the whole text counts.
"""

from __future__ import annotations

import re

from sweeper.budget import shell

HUB_COMMANDS = ("hf", "huggingface-cli", "hf.exe")
SHELLS = ("sh", "bash", "zsh", "dash", "ksh", "fish", "ash")
_DEEPEST = 8


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: Programs that show, search, keep or compare what stands in their arguments, and run none of it.
READERS = _names(
    """
    grep rg egrep fgrep zgrep ag ack echo printf cat bat head tail less more wc ls tree diff cmp
    sort uniq cut tr nl fold column file stat test [ [[ true false : cd pwd mkdir touch cp mv rm
    rmdir ln man whatis which type hash basename dirname realpath readlink jq yq md5sum
    sha256sum du df date sleep export local declare readonly unset set shift return read glow
    pandoc tee chmod patch truncate ruff mypy
    """
)

#: The plugin's scripts that read the world; a query is no command.
_RESEARCH = ("papers.py", "hf_docs.py", "inspect_dataset.py", "github.py")

_KEYWORDS = frozenset(("do", "then", "else", "elif", "if", "while", "until", "!", "{", "time"))
_LOOPS = ("for", "select")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*(?:\[[^]]*\])?\+?=")
_VARIABLE = re.compile(r"\$(?:\{[!#]?(\w+)(?:\[[^]]*\])?(?::?[-=+?]([^}]*))?[^}]*\}|(\w+))")
_SOFT = re.compile(r"[\"'\[\](){},;`\\$|&<>!\n]")

#: Wrappers that run the command behind them, with the options that take a value.
_WRAPPERS = {
    "env": ("-u", "--unset", "-C", "--chdir"),
    "timeout": ("-s", "--signal", "-k", "--kill-after"),
    "nohup": (),
    "nice": ("-n", "--adjustment"),
    "ionice": ("-c", "-n"),
    "stdbuf": ("-i", "-o", "-e"),
    "setsid": (),
    "command": (),
    "builtin": (),
    "exec": ("-a",),
    "sudo": ("-u", "-g"),
    "doas": ("-u",),
    "time": ("-f", "-o"),
    "caffeinate": ("-t",),
}

_FAMILIES = _names(
    """
    jobs repos repo repo-files buckets endpoints sandbox spaces discussions collections webhooks
    models datasets tag branch
    """
)
_ACTS = frozenset(("upload", "upload-large-folder", "cp", "sync"))
_LOOKS = _names(
    """
    ls list ps info inspect logs stats hardware wait cancel labels diff describe catalog search
    status show tree files pause suspend unschedule help
    """
)
_CHANGES = _names(
    """
    run rerun expose ssh trigger resume reschedule create delete upload cp sync rm mv move
    deploy scale update merge settings exec restart duplicate
    """
)
_QUIET = _names("auth cache download env version papers skills whoami login logout")
_VALUED = ("--token", "--namespace", "--format", "--resource-group-id")

_CODE = re.compile(
    r"""\brun_(?:uv_)?job\b|\bcreate_scheduled_(?:uv_)?job\b|\bapi/(?:scheduled-)?jobs\b
    |\b(?:upload_(?:file|folder|large_folder)|create_(?:repo|commit|branch|tag|bucket)
    |delete_(?:repo|file|folder|files|branch|tag|bucket)|update_repo_settings|move_repo
    |merge_pull_request|super_squash_history|duplicate_space|request_space_hardware
    |create_inference_endpoint|resume_inference_endpoint|push_to_hub)\s*\(
    |\bfrom\s+huggingface_hub\s+import\s+[^\n]*\bSandbox\b
    |\bapi/repos/(?:create|delete|move)\b|\bapi/(?:models|datasets|spaces)/\S+/commit/
    |\bapi\.endpoints\.huggingface\.cloud\b
    |\b(?:from|import)\s+sweeper(?:\.(?:cli|sweep|task|state|jobs\.hf|__main__)\b|\s+import)""",
    re.VERBOSE,
)
_HUB = re.compile(r"huggingface|\bhf\.co\b|\bhf_endpoint\b|\bapi/(?:scheduled-)?jobs\b", re.I)
_SENDS = re.compile(
    r"""(?:^|\s)(?:-X|--request|--method)[\s=]*(?!get\b|head\b)\w+
    |(?:^|\s)(?:-d|--data\S*|--json|-F|--form\S*|-T|--upload-file|--post-\S+|--body-\S+)(?=[\s=])
    |(?:^|\s)-X(?!get|head)\w+|(?:^|\s)(?:post|put|patch|delete)\s""",
    re.VERBOSE | re.I,
)
_FETCHERS = ("curl", "wget", "http", "https", "xh", "httpie", "curlie")
_JOBS_RUN = re.compile(r"(?:\$\S*|`)\s+jobs\s+(?:\S+\s+)?(?:run|rerun|trigger|resume)\b")
_HIDDEN = re.compile(r"\b(?:base64|base32|xxd|uudecode|openssl)\b")
_GIT_READS = _names(
    """
    commit log show diff grep add status blame tag stash checkout switch branch fetch pull merge
    reset restore rev-parse ls-files ls-remote shortlog notes mv rm init clone
    """
)

SWEEPER_SPENDS = frozenset(("run", "resume", "extend", "approve", "grant", "import"))
_JOBS_SPENDS = frozenset(("run", "scheduled"))
_REPO_WRITES = _names("upload delete create merge close comment status update move duplicate")


def spending(text: str, pushes_to_hub: object = None, depth: int = 0) -> str:
    """Return what in a command line looks like spending, or "" where nothing does.

    Args:
        text: The command line.
        pushes_to_hub: Called with the words of a `git push`; tells whether it goes to the Hub.
        depth: How deep this line is nested in another one.
    """
    if depth > _DEEPEST:
        return "commands nested too deep to be read"
    try:
        line = shell.read(text)
    except ValueError:
        return in_text(text)
    return _Judge(line, pushes_to_hub, depth).verdict()


class _Judge:
    """Looks at the commands of one line with the variables that the line itself sets."""

    def __init__(self, line: shell.Line, pushes_to_hub: object, depth: int) -> None:
        self._line = line
        self._pushes = pushes_to_hub
        self._depth = depth
        self._variables: dict[str, str] = {}
        for command in line.commands:
            self._learn([word.text for word in command.words])

    def _learn(self, words: list[str]) -> None:
        while words and words[0] in (*_KEYWORDS, "export", "local", "declare", "readonly"):
            words = words[1:]
        if words and words[0] in _LOOPS and len(words) > 3:
            self._variables[words[1]] = " ".join(words[3:])
        for word in words:
            if _ASSIGNMENT.match(word):
                name, _, value = word.partition("=")
                name = name.rstrip("+").split("[")[0]
                self._variables[name] = f"{self._variables.get(name, '')} {value}".strip()

    def _known(self, text: str) -> str:
        for _ in range(3):
            if "$" not in text:
                break
            text = _VARIABLE.sub(self._value, text)
        return text

    def _value(self, match: re.Match[str]) -> str:
        name = match[1] or match[3]
        value = self._variables.get(name, match[2])
        return match[0] if value is None else value

    def verdict(self) -> str:
        for nested in self._line.nested:
            found = spending(self._known(nested), self._pushes, self._depth + 1)
            if found:
                return found
        upstream = ""
        for command in self._line.commands:
            # A group's whole output goes into what its bracket is piped to.
            found = self._command(command, upstream if command.piped else "")
            if found:
                return found
            said = self._texts(command)
            said = said[1:] if said[:1] in (["echo"], ["printf"]) else said
            upstream = " ".join((upstream, *said, *command.fed))
        return ""

    def _texts(self, command: shell.Command) -> list[str]:
        return [self._known(word.text) for word in command.words]

    def _command(self, command: shell.Command, upstream: str) -> str:
        words = peeled(self._texts(command))
        fed = " ".join((*command.fed, upstream))
        if not words:
            return ""
        if " " in words[0]:  # a variable that holds a whole command
            words = words[0].split() + words[1:]
        name = words[0].rsplit("/", 1)[-1]
        if name in SHELLS or name in ("eval", "source", "."):
            return self._interpreted(name, words, fed)
        if name == "xargs" and reads_only(*_inner(words)):
            return ""
        if reads_only(name, words):
            return self._kept(command, fed)
        if name in HUB_COMMANDS:
            return _hub(words, strict=True)
        if name in _FETCHERS:
            return _fetched(" ".join(words))
        if name == "git":
            return self._git(words)
        takes_input = name in ("xargs", "parallel", "ssh", "at", "batch", "crontab") or (
            name.startswith(("python", "perl", "ruby", "node")) and _takes_input(words)
        )
        return in_text(" ".join(words) + " " + (fed if takes_input else " ".join(command.fed)))

    def _interpreted(self, name: str, words: list[str], fed: str) -> str:
        if fed.strip() and _HIDDEN.search(fed):
            return "decoded text that is handed to a shell"
        text = " ".join(words[1:]) if name == "eval" else _argument(words, "c")
        fed = " ".join((fed, *self._line.nested))
        for each in (text, fed):
            found = spending(self._known(each), self._pushes, self._depth + 1) or (
                in_text(each) if each is fed else ""
            )
            if found:
                return found
        return ""

    def _kept(self, command: shell.Command, fed: str) -> str:
        """Text that lands in a file which may be run is not only shown."""
        targets = list(command.writes)
        if command.words and command.words[0].text == "tee":
            targets += [word.text for word in command.words[1:]]
        if not any(_runnable(target) for target in targets):
            return ""
        return in_text(" ".join(self._texts(command)) + " " + fed)

    def _git(self, words: list[str]) -> str:
        verb = _git_verb(words)
        if verb in ("push", "lfs") and "push" in words:
            target = " ".join(words)
            if _HUB.search(target) or (callable(self._pushes) and self._pushes(words)):
                return "git push to the Hub"
            return ""
        return "" if verb in _GIT_READS else in_text(" ".join(words))


def peeled(words: list[str]) -> list[str]:
    """Return a command without keywords, assignments and wrappers in front of it."""
    while words:
        name = words[0].rsplit("/", 1)[-1]
        if (words[0] in _KEYWORDS and name != "time") or _ASSIGNMENT.match(words[0]):
            words = words[1:]
        elif name == "command" and words[1:2] and words[1] in ("-v", "-V"):
            return ["type", *words[2:]]
        elif name in _WRAPPERS:
            words = _unwrapped(name, words[1:])
        else:
            return words
    return words


def _unwrapped(name: str, words: list[str]) -> list[str]:
    valued = _WRAPPERS[name]
    while words and words[0].startswith("-"):
        if name == "env" and words[0] in ("-S", "--split-string") and len(words) > 1:
            return words[1].split() + words[2:]
        words = words[2:] if words[0] in valued else words[1:]
    return words[1:] if name == "timeout" else words


def reads_only(name: str, words: list[str]) -> bool:
    """Tell whether a command shows, searches or keeps its arguments and runs none of them."""
    text = " ".join(words[1:])
    if any(word.rsplit("/", 1)[-1] in _RESEARCH for word in words[:4]):
        return name in ("uv", "python", "python3") or name in _RESEARCH
    if name == "sed":
        return not re.search(r"s(\W).*\1.*\1\w*e|(?:^|[\s;])\d*e(?:\s|$)|--expression=e", text)
    if name in ("awk", "gawk", "mawk"):
        return not re.search(r"system|getline|\|", text)
    if name == "find":
        return not re.search(r"-(?:exec|execdir|ok|okdir|delete|fprint\S*)\b", text)
    if name == "rg":
        return "--pre" not in text
    if name in ("export", "local", "declare", "readonly"):
        return True
    if name == "gh":
        return words[1:2] != [] and words[1] in ("issue", "pr", "release", "search", "repo", "run")
    return name in READERS


def _inner(words: list[str]) -> tuple[str, list[str]]:
    rest = words[1:]
    while rest and rest[0].startswith("-"):
        valued = rest[0] in ("-n", "-I", "-P", "-L", "-d", "-s", "-a")
        rest = rest[2:] if valued else rest[1:]
    return (rest[0].rsplit("/", 1)[-1] if rest else "echo"), rest or ["echo"]


def _runnable(target: str) -> bool:
    plain = (".md", ".txt", ".log", ".rst", ".json", ".jsonl", ".yaml", ".yml", ".csv", ".html")
    return not target.startswith("/dev/") and not target.lower().endswith(plain)


def _takes_input(words: list[str]) -> bool:
    """Tell whether an interpreter runs what it is fed, or code that may run it."""
    code = _argument(words, "c") or _argument(words, "e")
    if code:
        return bool(re.search(r"system|subprocess|exec|eval|popen|spawn", code))
    return all(word.startswith("-") for word in words[1:])


def _argument(words: list[str], letter: str) -> str:
    for position, word in enumerate(words[1:], 1):
        if word.startswith("-") and not word.startswith("--") and letter in word:
            return words[position + 1] if position + 1 < len(words) else ""
    return ""


def _git_verb(words: list[str]) -> str:
    rest = words[1:]
    while rest and rest[0].startswith("-"):
        if rest[0] == "-c":
            return "-c"  # an alias or a hook may stand there
        rest = rest[2:] if rest[0] in ("-C", "--git-dir", "--work-tree") else rest[1:]
    return rest[0] if rest else ""


def _fetched(text: str) -> str:
    if not _HUB.search(text):
        return ""
    return "a request that changes something on the Hub" if _SENDS.search(text) else ""


def in_text(text: str) -> str:
    """Return what looks like spending in text that something may run, or ""."""
    if _CODE.search(text):
        return "code that spends or writes on the Hub, or that handles sweeper's own state"
    if _JOBS_RUN.search(text):
        return "`jobs run` behind a variable"
    soft = _SOFT.sub(" ", text)
    words = soft.replace("=", " ").split()
    if any(word.rsplit("/", 1)[-1] in _FETCHERS for word in words):
        found = _fetched(soft)
        if found:
            return found
    for position, word in enumerate(words):
        found = _word(word.split("@")[0], words[position:])
        if found:
            return found
    return ""


def _word(word: str, words: list[str]) -> str:
    name = word.rsplit("/", 1)[-1]
    if name in HUB_COMMANDS or word.startswith("huggingface_hub.cli"):
        return _hub(words, strict=False)
    following = [each for each in words[1:] if not each.startswith("-")]
    verb = following[0] if following else ""
    if name == "sweeper" and (verb in SWEEPER_SPENDS or verb.startswith("$")):
        return f"`sweeper {verb}`"
    if name.startswith("hf_jobs") and verb in _JOBS_SPENDS:
        return "`hf_jobs.py run`"
    if name.startswith("hf_repo") and _REPO_WRITES.intersection(following[:2]):
        return "`hf_repo.py` that writes"
    return ""


def _hub(words: list[str], strict: bool) -> str:
    """Judge the words of an `hf` command; `strict`: they are its words, all of them."""
    rest = _plain(words[1:])
    if not rest or "--help" in words[1:4] or "-h" in words[1:4]:
        return ""
    verb = rest[0]
    sub = rest[1] if len(rest) > 1 else ""
    if verb in _ACTS:
        return f"`hf {verb}`"
    if verb in _FAMILIES:
        if verb == "jobs" and sub in ("scheduled", "uv"):
            sub = rest[2] if len(rest) > 2 else ""
        looks = sub in _LOOKS or not sub if strict else sub[:1] != "%" and sub not in _CHANGES
        looks = looks or rest[1:3] == ["scheduled", "delete"]
        return "" if looks else f"`hf {' '.join(rest[:2])}`"
    unread = strict and verb not in _QUIET and (verb[0] in "$`{" or not verb.isidentifier())
    return f"`hf {verb}`" if unread else ""


def _plain(words: list[str]) -> list[str]:
    """Return the words without options and the values of the few that stand before a verb."""
    plain: list[str] = []
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word.startswith("-"):
            skip = word in _VALUED
        else:
            plain.append(word)
    return plain

"""Takes secrets out of everything that is printed, whoever wrote them.

Two ways: by the shape of a value (tokens that announce themselves) and by the name that a
literal is assigned to (`WANDB_API_KEY="…"`, `"api_key": "…"`). Names that language-model code
is full of (`pad_token = "<pad>"`, `max_tokens=512`) are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

MARK = "[redacted]"

# Values that are secrets wherever they stand.
_SHAPES = re.compile(
    r"""
      \b(?:hf|api_org)_[A-Za-z0-9]{16,}                       # Hugging Face
    | \bsk-(?:ant|proj|svcacct|admin|or|lf)?-?[A-Za-z0-9_-]{20,}   # Anthropic, OpenAI and kin
    | \bgh[pousr]_[A-Za-z0-9]{16,} | \bgithub_pat_\w{20,}     # GitHub, both forms
    | \bglpat-[\w-]{16,}                                      # GitLab
    | \b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b                 # AWS key ids
    | \bxox[abeoprs](?:\.xox[a-z])?-[\w-]{10,} | \bxapp-\d-[\w-]{10,}          # Slack
    | \bhttps://hooks\.slack\.com/(?:services|workflows|triggers)/[\w/-]+
    | \bAIza[\w-]{30,}                                        # Google
    | \b(?:npm|pypi|dop_v1|rpa|wandb_v1)[_-][A-Za-z0-9_-]{30,}
    | \beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]{5,}               # JSON web tokens
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY-----[\s\S]*?(?:-----END\ [A-Z ]*PRIVATE\ KEY-----|\Z)
    """,
    re.VERBOSE,
)
_BEARER = re.compile(r"(?i)\b(bearer|basic|token)(\s+)(?=[^\s]*\d)([\w.~+/=-]{12,})")
_USERINFO = re.compile(
    r"(?i)\b([a-z][a-z0-9+.-]{1,20}://)([^\s/@:'\"]{0,100}):([^\s/@'\"]{1,200})@"
)
_NAME = r"""
    (?: [A-Z0-9_]*(?:TOKEN|API_?KEY|SECRET|PASSWORD|PASSWD|ACCESS_KEY(?:_ID)?|SECRET_KEY
                    |PRIVATE_KEY|CREDENTIALS?|WEBHOOK_URL)
      | (?i:[a-z0-9_.-]*(?:api[_-]?key|secret[_-]?access[_-]?key|access[_-]?key[_-]?id
            |client[_-]?secret|(?:access|auth|refresh|bearer|bot|session|hf|hub|github)[_-]?token
            |password|passwd|private[_-]?key|secret[_-]?key))
      | (?i:secret|token)(?=["']?\s*[:=]\s*["'][^"'\s]*\d)
    )
"""
_NAMED = re.compile(
    rf"""
    (?P<head>(?<![A-Za-z0-9_])["']?(?P<name>{_NAME})["']?\s*(?P<sign>:|=)\s*)
    (?: (?P<quote>["'])(?P<quoted>(?:\\.|(?!(?P=quote))[^\\\n])+)(?P=quote)
      | (?P<plain>[^\s"'(){{}}\[\],;$<>&|\\]+) (?![(\[.]) )
    """,
    re.VERBOSE,
)
# What stands in code where a secret would: an expression, a stand-in, a special token.
_HARMLESS = re.compile(
    r"""^(?: [<\[{$%] .* | \.\.\.+ | …+ | \*+ | x{3,} | none | null | true | false | \d{1,7}
        | os\..* | [Mm]odel | str | string )$""",
    re.VERBOSE | re.IGNORECASE,
)


def redact(text: str, known: Iterable[str] = ()) -> str:
    """Return `text` without secrets.

    Args:
        text: Anything that is about to be shown.
        known: Secrets known by value (the tokens of this very call), whatever their shape.
    """
    for secret in known:
        if len(secret) >= 8:
            text = text.replace(secret, MARK)
    text = _SHAPES.sub(MARK, text)
    text = _USERINFO.sub(rf"\1{MARK}@", text)
    text = _BEARER.sub(rf"\1\2{MARK}", text)
    return _NAMED.sub(_named, text)


def _named(match: re.Match[str]) -> str:
    quoted, plain = match["quoted"], match["plain"]
    value = quoted if quoted is not None else plain
    if _HARMLESS.match(value) or value.startswith(MARK):
        return match[0]
    # `api_key=api_key` and `token: str` are code; only an environment-style name makes a bare
    # word a value.
    if plain is not None and not _bare_word_is_a_value(match["name"], plain):
        return match[0]
    quote = match["quote"] or ""
    return f"{match['head']}{quote}{MARK}{quote}"


def _bare_word_is_a_value(name: str, value: str) -> bool:
    if name.isupper():
        return True
    return any(char.isdigit() for char in value) and len(value) >= 8


def redact_tree(value: object, known: tuple[str, ...] = ()) -> object:
    """Return a JSON value whose texts carry no secrets; keys name what their texts are."""
    if isinstance(value, str):
        return redact(value, known)
    if isinstance(value, list):
        return [redact_tree(item, known) for item in value]
    if isinstance(value, dict):
        return {str(key): _member(str(key), item, known) for key, item in value.items()}
    return value


_SECRET_KEY = re.compile(rf"^{_NAME}$", re.VERBOSE)


def _member(key: str, value: object, known: tuple[str, ...]) -> object:
    if isinstance(value, str) and _SECRET_KEY.match(key) and value and not _HARMLESS.match(value):
        return MARK
    return redact_tree(value, known)

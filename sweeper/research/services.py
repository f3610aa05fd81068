"""The services that are read, where they live, what they may be sent, and how fast.

==================  =============================  ========================================
service             base URL, overridden by        credential, sent to that origin only
==================  =============================  ========================================
Hugging Face Hub    HF_ENDPOINT                    HF_TOKEN, the token file, or .env
dataset viewer      SWEEPER_DATASETS_SERVER_URL    the same
Semantic Scholar    SWEEPER_S2_URL                 S2_API_KEY (as `x-api-key`)
OpenAlex            SWEEPER_OPENALEX_URL           none (OPENALEX_MAILTO names a contact)
arXiv               SWEEPER_ARXIV_URL              none
ar5iv               SWEEPER_AR5IV_URL              none
GitHub              SWEEPER_GITHUB_URL             GH_TOKEN or GITHUB_TOKEN, then `gh auth token`
Gradio's docs       SWEEPER_GRADIO_URL             none
==================  =============================  ========================================

A `.env` in the current folder may hold the tokens. An endpoint named in it is used only together
with a token from the same file, so that no folder can send this account's token elsewhere.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

from sweeper.research.faults import UsageError


class Rate(NamedTuple):
    """How often a service may be asked.

    Attributes:
        interval_s: Seconds between requests in the long run.
        burst: Requests that may come at once after a rest.
    """

    interval_s: float
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Service:
    """One upstream service.

    Attributes:
        name: Short name; also the name of its rate-limit bucket.
        title: The name that people know.
        variable: Environment variable that overrides its base URL.
        default: Its base URL.
        rate: How often it may be asked.
        hosts: Hosts that it may redirect to; `*.x` covers the subdomains of x.
        credential: Which credential belongs to it: "hf", "s2", "github" or "".
        timeout_s: Seconds that one answer may take.
    """

    name: str
    title: str
    variable: str
    default: str
    rate: Rate
    hosts: tuple[str, ...]
    credential: str = ""
    timeout_s: float = 20.0


_HUB_HOSTS = ("huggingface.co", "hf.co", "*.huggingface.co", "*.hf.co")

# Hub: 500 requests per 5 minutes without an account; https://huggingface.co/docs/hub/rate-limits
HUB = Service(
    "hub",
    "Hugging Face Hub",
    "HF_ENDPOINT",
    "https://huggingface.co",
    Rate(0.75, 100),
    _HUB_HOSTS,
    "hf",
)
DATASETS_SERVER = Service(
    "datasets-server",
    "Hugging Face dataset viewer",
    "SWEEPER_DATASETS_SERVER_URL",
    "https://datasets-server.huggingface.co",
    Rate(0.5, 40),
    _HUB_HOSTS,
    "hf",
    30.0,
)
# One request per second, with a key as without; a tenth more keeps the service's clock content.
S2 = Service(
    "s2",
    "Semantic Scholar",
    "SWEEPER_S2_URL",
    "https://api.semanticscholar.org",
    Rate(1.1),
    ("api.semanticscholar.org",),
    "s2",
)
OPENALEX = Service(
    "openalex",
    "OpenAlex",
    "SWEEPER_OPENALEX_URL",
    "https://api.openalex.org",
    Rate(0.2),
    ("api.openalex.org",),
)
# One request every three seconds: https://info.arxiv.org/help/api/tou.html
ARXIV = Service(
    "arxiv",
    "arXiv",
    "SWEEPER_ARXIV_URL",
    "https://arxiv.org",
    Rate(3.0),
    ("arxiv.org", "*.arxiv.org"),
    timeout_s=30.0,
)
AR5IV = Service(
    "ar5iv",
    "ar5iv",
    "SWEEPER_AR5IV_URL",
    "https://ar5iv.labs.arxiv.org",
    Rate(1.0),
    ("ar5iv.labs.arxiv.org", "ar5iv.org", "arxiv.org", "*.arxiv.org"),
    timeout_s=30.0,
)
# 60 requests an hour without a token; https://docs.github.com/rest/using-the-rest-api
GITHUB = Service(
    "github",
    "GitHub",
    "SWEEPER_GITHUB_URL",
    "https://api.github.com",
    Rate(60.0, 60),
    ("api.github.com",),
    "github",
    30.0,
)
GRADIO = Service(
    "gradio",
    "Gradio's docs",
    "SWEEPER_GRADIO_URL",
    "https://www.gradio.app",
    Rate(0.5, 5),
    ("gradio.app", "www.gradio.app"),
)
ALL = (HUB, DATASETS_SERVER, S2, OPENALEX, ARXIV, AR5IV, GITHUB, GRADIO)

LOOPBACK = ("127.0.0.1", "::1", "localhost")
_TOKEN_NAMES = {
    "hf": ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"),
    "s2": ("S2_API_KEY", "SEMANTIC_SCHOLAR_API_KEY"),
    "github": ("GH_TOKEN", "GITHUB_TOKEN"),
}


class Accounts:
    """Base URLs and credentials as the environment of this call gives them."""

    def __init__(self) -> None:
        self._page = _dotenv()
        self._learned: list[str] = []

    def learn(self, secret: str) -> None:
        """Remember a credential that came from elsewhere, so that it is never printed."""
        self._learned.append(secret)

    def base(self, service: Service) -> str:
        """Return the service's base URL without a trailing slash.

        Raises:
            UsageError: The variable holds something that is no http(s) URL.
        """
        given = os.environ.get(service.variable, "").strip()
        if not given and service.credential == "hf" and self._endpoint_from_page:
            given = self._endpoint_from_page if service is HUB else ""
        base = (given or service.default).rstrip("/")
        if urlsplit(base).scheme not in ("http", "https") or not urlsplit(base).hostname:
            raise UsageError(
                f"{service.variable} is not a web address: {base!r}.",
                key=service.variable,
                hint=f"Unset it, or set it to something like {service.default}.",
            )
        return base

    @property
    def _endpoint_from_page(self) -> str:
        if os.environ.get("HF_ENDPOINT") or not self._page.get("HF_TOKEN"):
            return ""
        return self._page.get("HF_ENDPOINT", "")

    def secret(self, service: Service) -> str | None:
        """Return the credential that belongs to the service, or None."""
        if service is HUB and self._endpoint_from_page:
            return self._page["HF_TOKEN"]
        if service is DATASETS_SERVER and not self._viewer_belongs_to_hub():
            return None
        for name in _TOKEN_NAMES.get(service.credential, ()):
            if value := (os.environ.get(name) or self._page.get(name) or "").strip():
                return value
        return _hub_token_file() if service.credential == "hf" else None

    def _viewer_belongs_to_hub(self) -> bool:
        """Whether the Hub's token is the dataset viewer's too: not if the Hub is another one."""
        if os.environ.get(DATASETS_SERVER.variable):
            return True
        return origin(self.base(HUB)) == origin(HUB.default)

    def secrets(self) -> tuple[str, ...]:
        """Return every credential of this call, to be kept out of all output."""
        found = [self.secret(service) for service in (HUB, DATASETS_SERVER, S2, GITHUB)]
        return tuple({secret for secret in (*found, *self._learned) if secret})


def _dotenv() -> dict[str, str]:
    if not Path(".env").is_file():
        return {}
    from dotenv import dotenv_values

    return {name: value for name, value in dotenv_values(".env").items() if value}


def _hub_token_file() -> str | None:
    """Read the login's token where `huggingface_hub` keeps it (its `constants.py`)."""
    if os.environ.get("HF_HUB_DISABLE_IMPLICIT_TOKEN", "").upper() in ("1", "ON", "YES", "TRUE"):
        return None
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("HF_HOME", f"{cache}/huggingface")
    path = Path(os.environ.get("HF_TOKEN_PATH", f"{home}/token")).expanduser()
    try:
        return path.read_text().strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def origin(url: str) -> tuple[str, str, int | None]:
    """Return what decides whether a credential may travel: scheme, host and port."""
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, (parts.hostname or "").lower(), port


def host_matches(host: str, patterns: tuple[str, ...]) -> bool:
    """Return whether `host` is one of `patterns`; `*.x` covers the subdomains of x."""
    return any(
        host.endswith(pattern[1:]) if pattern.startswith("*.") else host == pattern
        for pattern in patterns
    )


def knob(name: str, default: float) -> float:
    """Return a positive number from the environment.

    Raises:
        UsageError: It is no positive number.
    """
    given = os.environ.get(name, "").strip()
    if not given:
        return default
    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not 0 < value < 86_400:
        raise UsageError(
            f"{name} should be a positive number of seconds, not {given!r}.", key=name
        )
    return value


def help_text() -> str:
    """Return the table of services for `--help`."""
    rows = [f"  {service.variable:<28} {service.title}, {service.default}" for service in ALL]
    return "\n".join(
        [
            "environment, base URLs:",
            *rows,
            "environment, credentials (each goes to its own service only):",
            "  HF_TOKEN                     Hub and dataset viewer (else the login's token file)",
            "  S2_API_KEY                   Semantic Scholar",
            "  GH_TOKEN, GITHUB_TOKEN       GitHub (else `gh auth token`)",
            "  OPENALEX_MAILTO              contact address that OpenAlex asks for",
            "environment, knobs:",
            "  SWEEPER_CACHE_DIR            cache and limiter (default ~/.cache/sweeper/research)",
            "  SWEEPER_RESEARCH_TIMEOUT_S   seconds a call may take (100)",
            "  SWEEPER_RESEARCH_BACKOFF_S   first pause before a retry, then doubled (1)",
        ]
    )

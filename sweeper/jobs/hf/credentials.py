"""Endpoint, token and secrets, taken where `huggingface_hub` and people keep them.

The environment comes first, then a `.env` in program.md's folder or above it, then the token file
of `hf auth login`. Nothing here is printed, logged or written anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from dataclasses import field
from pathlib import Path

from sweeper.errors import AccountError

TOKEN_NAMES = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where the Hub is, and who we are there.

    Attributes:
        endpoint: Address of the Hub without a final slash.
        token: Access token, or None if there is none.
        dotenv: What the `.env` file says.
    """

    endpoint: str
    token: str | None = field(repr=False)
    dotenv: dict[str, str] = field(repr=False, default_factory=dict)

    def require(self) -> str:
        """Return the token.

        Raises:
            AccountError: There is none.
        """
        if not self.token:
            raise AccountError(
                "No Hugging Face token was found.",
                hint=f"`hf auth login`, or set HF_TOKEN; tokens: {self.endpoint}/settings/tokens",
            )
        return self.token

    def secret(self, name: str) -> str | None:
        """Return the value of a secret by its name, or None if it is set nowhere."""
        if name in TOKEN_NAMES and self.token:
            return self.token
        return os.environ.get(name) or self.dotenv.get(name) or None

    def secrets(self, names: Iterable[str]) -> dict[str, str]:
        """Return the named secrets with their values.

        Raises:
            AccountError: One of them is set nowhere.
        """
        values = {name: self.secret(name) for name in names}
        missing = sorted(name for name, value in values.items() if not value)
        if missing:
            raise AccountError(
                f"The secret {missing[0]} is neither in the environment nor in a .env file.",
                hint=f"export {missing[0]}=…, or write it into .env beside program.md",
                key="secrets",
            )
        return {name: value for name, value in values.items() if value}


def find(folder: Path | None = None) -> Credentials:
    """Look for endpoint and token.

    Args:
        folder: Folder of program.md, where a `.env` may lie; default the current one.
    """
    from huggingface_hub import constants
    from huggingface_hub import get_token

    dotenv = read_dotenv(folder or Path.cwd())
    endpoint = os.environ.get("HF_ENDPOINT") or dotenv.get("HF_ENDPOINT") or constants.ENDPOINT
    token = _first(os.environ) or _first(dotenv) or get_token()
    return Credentials(endpoint.rstrip("/"), token, dotenv)


def read_dotenv(folder: Path) -> dict[str, str]:
    """Return what the nearest `.env` in `folder` or above it says; nothing if there is none."""
    from dotenv import dotenv_values

    for place in (folder.absolute(), *folder.absolute().parents):
        if (place / ".env").is_file():
            return {k: v for k, v in dotenv_values(place / ".env").items() if v}
    return {}


def _first(mapping: os._Environ[str] | dict[str, str]) -> str | None:
    return next((mapping[n].strip() for n in TOKEN_NAMES if mapping.get(n, "").strip()), None)

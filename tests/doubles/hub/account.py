"""Who asks: tokens, roles, organisations, credits, and the strict limit on whoami."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from dataclasses import field
from typing import Any

from tests.doubles.hub.refusal import Refusal


@dataclass
class Token:
    """One access token.

    Attributes:
        role: read, write, god or fineGrained (`scopes` says for which permissions).
        scopes: Permissions of a fineGrained token, such as "job.write" and "repo.write".
        revoked: True once it was taken back.
        revoke_after: Requests it still answers before it is revoked, or None.
    """

    role: str = "write"
    scopes: set[str] = field(default_factory=set)
    revoked: bool = False
    revoke_after: int | None = None


class Account:
    """One user with organisations; the only account of this Hub."""

    def __init__(self, name: str = "me", orgs: tuple[str, ...] = ("my-org",)) -> None:
        self.name = name
        self.orgs = orgs
        self.tokens: dict[str, Token] = {}
        self.balance_micro_usd = 1_000_000_000
        self.whoami_limit = 5  # calls in five minutes of ours
        self._whoami: list[float] = []

    def issue(self, role: str = "write", *scopes: str) -> str:
        """Make a token and return its text."""
        text = "hf_" + secrets.token_hex(17)
        self.tokens[text] = Token(role, set(scopes))
        return text

    def authenticate(self, header: str | None) -> Token:
        """Return the token that a request bears.

        Raises:
            Refusal: 401 without a valid one.
        """
        text = (header or "").removeprefix("Bearer ").strip()
        token = self.tokens.get(text)
        if token is None or token.revoked:
            raise Refusal(401, "Invalid credentials in Authorization header")
        if token.revoke_after is not None:
            token.revoked = token.revoke_after <= 0
            token.revoke_after -= 1
            if token.revoked:
                raise Refusal(401, "Invalid credentials in Authorization header")
        return token

    def may(self, token: Token, namespace: str, permission: str) -> None:
        """Check one permission ("job.write", "repo.write", "job.read") in a namespace.

        Raises:
            Refusal: 404 for a namespace that is not visible, 403 for a missing permission.
        """
        if namespace not in (self.name, *self.orgs):
            raise Refusal(404, f"Namespace {namespace} not found")
        if permission.endswith(".read") or token.role in ("write", "god"):
            return
        if token.role == "fineGrained" and permission in token.scopes:
            return
        raise Refusal(403, f"This token lacks the permission {permission}")

    def charge_possible(self) -> None:
        """Check that there are credits.

        Raises:
            Refusal: 402 without any.
        """
        if self.balance_micro_usd <= 0:
            raise Refusal(402, "Pre-paid credit balance is insufficient to run jobs")

    def whoami(self, token: Token) -> dict[str, Any]:
        """Return the body of GET /api/whoami-v2.

        Raises:
            Refusal: 429 when asked too often.
        """
        now = time.monotonic()
        self._whoami = [t for t in self._whoami if now - t < 300]
        if len(self._whoami) >= self.whoami_limit:
            raise Refusal(429, "Too many requests", headers={"Retry-After": "300"})
        self._whoami.append(now)
        access = {"displayName": "tests", "role": token.role, "createdAt": "2026-01-01T00:00:00Z"}
        if token.role == "fineGrained":
            permissions = sorted(token.scopes)
            entity = {"_id": "1", "type": "user", "name": self.name}
            access["fineGrained"] = {  # type: ignore[assignment]
                "global": [],
                "scoped": [{"entity": entity, "permissions": permissions}],
            }
        return {
            "type": "user", "id": "5e9ecfc04957053f60648a3e", "name": self.name,
            "fullname": self.name, "email": "me@example.org", "canPay": False,
            "billingMode": "prepaid", "periodEnd": None, "isPro": False,
            "orgs": [{"type": "org", "id": "6" * 24, "name": org, "fullname": org,
                      "canPay": True, "roleInOrg": "admin"} for org in self.orgs],
            "auth": {"type": "access_token", "accessToken": access},
        }  # fmt: skip

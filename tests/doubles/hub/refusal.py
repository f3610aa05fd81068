"""The one exception of the double: an answer that is not 2xx."""

from __future__ import annotations


class Refusal(Exception):
    """An HTTP error answer.

    Attributes:
        status: HTTP status.
        message: What stands under "error" and in X-Error-Message.
        code: X-Error-Code, or None.
        headers: Further headers.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.headers = headers or {}

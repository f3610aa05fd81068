"""What can go wrong while reading the world, as errors a person or Claude can act on.

SweeperError
├── UsageError             the call itself is wrong: exit 2
└── ResearchError          a service did not give what was asked for
    ├── NotFoundError          it does not exist, or not for this account
    ├── ForbiddenError         credentials are missing or do not suffice
    ├── BusyError              a rate limit: carries how long to wait
    ├── DownError              the service is away or broken
    │   ├── NotSentError           no connection came about: nothing happened
    │   └── SilentError            it took too long
    ├── ConflictError          it is there already, or changed meanwhile
    ├── StrangeAnswerError     an answer came, but not one that can be trusted
    └── WriteUnknownError      the answer to a write was lost: it may have happened
"""

from __future__ import annotations

from sweeper.errors import SweeperError


class UsageError(SweeperError):
    """The call itself is wrong; nothing was asked of anybody."""

    code = "usage"


class ResearchError(SweeperError):
    """A service did not give what was asked for."""

    code = "research"


class NotFoundError(ResearchError):
    """It does not exist, or it is not visible to this account."""

    code = "not_found"


class ForbiddenError(ResearchError):
    """Credentials are missing or do not suffice."""

    code = "forbidden"


class BusyError(ResearchError):
    """A rate limit holds, longer than this call may wait.

    Attributes:
        wait_s: Seconds until it is worth asking again.
    """

    code = "rate_limited"

    def __init__(self, message: str, *, wait_s: float, hint: str | None = None) -> None:
        super().__init__(message, hint=hint or f"Ask again in {round(wait_s) + 1} s.")
        self.wait_s = wait_s


class DownError(ResearchError):
    """The service is away or broken."""

    code = "unavailable"


class NotSentError(DownError):
    """No connection came about, so nothing can have happened."""


class SilentError(DownError):
    """The service took too long."""


class ConflictError(ResearchError):
    """What was to be made is there already, or changed meanwhile."""

    code = "conflict"


class StrangeAnswerError(ResearchError):
    """An answer came, but not one that can be trusted."""

    code = "strange_answer"


class WriteUnknownError(ResearchError):
    """The answer to a write was lost: it may have happened."""

    code = "outcome_unknown"

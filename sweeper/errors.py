"""Every error a person can meet, as a tree; each carries a hint.

SweeperError
├── ProgramError          program.md is wrong: line, key, value and the fix
├── ScriptError           the training script cannot be run as the program says
├── ProposalError         a proposed configuration cannot be tried
├── RefusedError          the envelope, the approval or the lease says no
│   ├── NotApprovedError
│   ├── LeaseHeldError
│   └── LeaseLostError
├── StateError            the database or the folder is not what it should be
└── ExecutorError         a job could not be handled
    ├── NothingCreatedError   the request was refused: no job exists, nothing is owed
    ├── OutcomeUnknownError   the answer was lost: a job may exist
    ├── UnavailableError      the service is away for a while: wait, then ask again
    └── AccountError          credentials, credits or permissions: a person must act

Standard library only: the spending guard imports this.
"""

from __future__ import annotations


class SweeperError(Exception):
    """Base of all errors that are shown as one sentence rather than as a traceback.

    Attributes:
        message: What is wrong, as a full sentence.
        hint: What to do about it, or None.
        line: Line of the file concerned, counted from 1, or None for the whole file.
        key: The key, parameter or option concerned, or None.
        code: A stable word for programs.
    """

    code = "error"

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        line: int | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.line = line
        self.key = key

    def as_document(self) -> dict[str, dict[str, str | int | None]]:
        """Return the error as the JSON document that `--json` prints."""
        return {
            "error": {
                "code": self.code,
                "message": self.message,
                "line": self.line,
                "key": self.key,
                "hint": self.hint,
            }
        }


class ProgramError(SweeperError):
    """program.md is wrong."""

    code = "program"


class ScriptError(SweeperError):
    """The training script cannot be run as the program says."""

    code = "script"


class ProposalError(SweeperError):
    """A proposed configuration cannot be tried."""

    code = "proposal"


class RefusedError(SweeperError):
    """The envelope says no."""

    code = "refused"


class NotApprovedError(RefusedError):
    """No approval of a person covers what is asked for."""

    code = "not_approved"


class LeaseHeldError(RefusedError):
    """Another conductor holds this study."""

    code = "lease_held"


class LeaseLostError(RefusedError):
    """Another conductor has taken over; this one may write no more."""

    code = "lease_lost"


class StateError(SweeperError):
    """The database or the folder is not what it should be."""

    code = "state"


class ExecutorError(SweeperError):
    """A job could not be handled."""

    code = "executor"


class NothingCreatedError(ExecutorError):
    """The request was refused: no job exists and nothing is owed."""

    code = "nothing_created"


class OutcomeUnknownError(ExecutorError):
    """The answer was lost: a job may exist."""

    code = "outcome_unknown"


class UnavailableError(ExecutorError):
    """The service is away for a while.

    Attributes:
        retry_after_s: Seconds the service asked to be left alone, or None.
    """

    code = "unavailable"

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        hint: str | None = None,
        line: int | None = None,
        key: str | None = None,
    ) -> None:
        super().__init__(message, hint=hint, line=line, key=key)
        self.retry_after_s = retry_after_s


class AccountError(ExecutorError):
    """Credentials, credits or permissions: a person must act."""

    code = "account"

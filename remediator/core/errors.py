"""The tree of our own errors.

    RemediatorError
    ├── Retryable            nothing happened, or repeating is harmless; try again after ``delay``
    │   ├── StoreUnavailable     Redis cannot take or answer this now
    │   └── QueueFull            the intake has no room
    ├── Permanent            repeating will not help; a person or another way must
    │   ├── Refused              the peer understood and said no (a 4xx, a failed precondition)
    │   ├── Failed               it was done, and did not come to a good end
    │   ├── NotFound             the object is not there
    │   └── Fenced               somebody with a newer epoch owns the target
    ├── Unknown              it may or may not have happened; look before doing anything again
    ├── PolicyError          the policy files are wrong; carries its findings
    └── SettingsError        the daemon was started wrongly

Library errors are translated into these at the adapter that meets them.
"""

from __future__ import annotations

from collections.abc import Sequence


class RemediatorError(Exception):
    """Base of every error this program raises on purpose. The text says what to do where it can."""


class Retryable(RemediatorError):
    """Nothing happened, or repeating is harmless.

    ``delay`` is the time in milliseconds to wait before the next try, when the peer named one.
    """

    def __init__(self, message: str, *, delay: int | None = None) -> None:
        super().__init__(message)
        self.delay = delay


class StoreUnavailable(Retryable):
    """The store cannot take or answer this now: refused, timed out, loading, read-only, out of memory."""


class QueueFull(Retryable):
    """The intake holds as many alerts as it may; the sender should keep them and come again."""


class Contended(Retryable):
    """An incident changed faster than it could be decided. Nothing is wrong; others were quicker."""


class Permanent(RemediatorError):
    """Repeating will not help."""


class Refused(Permanent):
    """The peer understood the request and said no."""


class Failed(Permanent):
    """It was done, once, and did not come to a good end. What it did before that stays done."""


class NotFound(Permanent):
    """The object is not there."""


class Fenced(Permanent):
    """The target carries a newer epoch than ours: somebody else owns it now."""


class Unknown(RemediatorError):
    """The request may or may not have taken effect. Look first; never repeat blindly."""


class PolicyError(RemediatorError):
    """The policy files cannot be used. ``findings`` are ``path:line:column: message`` lines."""

    def __init__(self, findings: Sequence[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = tuple(findings)


class SettingsError(RemediatorError):
    """The daemon was started with settings that cannot work."""

"""What can go wrong with the demo itself."""

from __future__ import annotations

from remediator.core.errors import RemediatorError


class DemoError(RemediatorError):
    """The demo cannot go on; the text says why, and where to look."""

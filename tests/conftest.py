"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes says how busy the machine is. What must be quick is measured by tests of its own.
settings.register_profile("shared", deadline=None)
settings.load_profile("shared")

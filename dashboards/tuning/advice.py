"""What a record can speak for."""

from __future__ import annotations

MORE = ("to_approve", "to_auto")
LESS = ("hold_longer", "goes_wrong", "does_not_last", "restore")

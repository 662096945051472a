"""Remediations, one per file. An action plans changes; it never touches the cluster."""

from __future__ import annotations

from remediator.actions.restart import Restart
from remediator.core.plugins import Action

ACTIONS: dict[str, Action] = {action.name: action for action in (Restart(),)}

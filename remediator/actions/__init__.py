"""Remediations, one per file. An action plans changes; it never touches the cluster."""

from __future__ import annotations

from remediator.actions.delete_pod import DeletePods
from remediator.actions.evict_pod import EvictPods
from remediator.actions.restart import Restart
from remediator.actions.rollback import Rollback
from remediator.actions.scale import Scale
from remediator.core.plugins import Action

ACTIONS: dict[str, Action] = {
    action.name: action for action in (Restart(), Scale(), Rollback(), EvictPods(), DeletePods())
}

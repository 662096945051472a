"""Remediations, one per file. An action plans changes; it never touches the cluster."""

from __future__ import annotations

from remediator.actions.cordon import Cordon
from remediator.actions.delete_pod import DeletePods
from remediator.actions.drain import Drain
from remediator.actions.evict_pod import EvictPods
from remediator.actions.exec import Exec
from remediator.actions.hpa import Hpa
from remediator.actions.http import Http
from remediator.actions.isolate import Isolate
from remediator.actions.job import RunCronJob
from remediator.actions.restart import Restart
from remediator.actions.restore import Restore
from remediator.actions.rollback import Rollback
from remediator.actions.scale import Scale
from remediator.actions.set_image import SetImage
from remediator.actions.set_resources import SetResources
from remediator.actions.silence import Silence
from remediator.actions.uncordon import Uncordon
from remediator.core.plugins import Action

ACTIONS: dict[str, Action] = {
    action.name: action
    for action in (
        *(Restart(), Scale(), Rollback()),
        *(SetImage(), SetResources(), Isolate(), Restore(), Hpa()),
        *(EvictPods(), DeletePods()),
        *(Cordon(), Drain(), Uncordon()),
        *(Exec(), Http(), RunCronJob()),
        Silence(),
    )
}

"""Actions and checks of the policy language that this version reads and does not perform.

Their parameters are checked like those of any other. A runbook that steps or verifies with one is blocked
when its turn comes, and people are asked. Every diagnosis of the language is performed.
"""

from __future__ import annotations

from remediator.policy.declared.kinds import DeclaredAction
from remediator.policy.declared.nodes import Cordon, Drain, Uncordon

DECLARED_ACTIONS: dict[str, type[DeclaredAction]] = {
    action.name: action for action in (Cordon, Drain, Uncordon)
}

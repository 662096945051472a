"""What a simulation learns of a replica from within: what it is at work for, and what it asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from copy import copy

from remediator.core import codec
from remediator.core.journal import Act, CheckResult, Undo
from remediator.core.plugins import CheckPlugin, DiagnosisPlugin, Params, Sight
from remediator.core.store import Delivered
from remediator.journey import Journey, Perform
from remediator.testing.simulation.ports import WORKING_ON


class Traced(Journey):
    """Says what each task is at work for: a program that runs carries no mark of it."""

    async def perform(self, delivery: Delivered, performer: Perform) -> None:
        """As the real one."""
        effect = codec.unpack(delivery.kind, delivery.data)
        acts = isinstance(effect, Act | Undo)
        WORKING_ON.set((effect.step_id if acts else effect.id, not acts))
        await super().perform(delivery, performer)


def counted_checks(checks: Mapping[str, CheckPlugin], met: Counter[str]) -> dict[str, CheckPlugin]:
    """The same, and each is counted when it is asked and finds out whether it holds."""
    return {name: _counted_check(name, check, met) for name, check in checks.items()}


def _counted_check(name: str, check: CheckPlugin, met: Counter[str]) -> CheckPlugin:
    async def ask(params: Params, sight: Sight) -> CheckResult:
        found = await check.ask(params, sight)
        if found.holds is not None:
            met[f"check {name} {'holds' if found.holds else 'fails'}"] += 1
        return found

    twin = copy(check)
    vars(twin)["ask"] = ask
    return twin


def counted_diagnoses(
    diagnoses: Mapping[str, DiagnosisPlugin], met: Counter[str]
) -> dict[str, DiagnosisPlugin]:
    """The same, and each is counted when it has looked."""
    return {name: _counted_diagnosis(name, each, met) for name, each in diagnoses.items()}


def _counted_diagnosis(name: str, diagnosis: DiagnosisPlugin, met: Counter[str]) -> DiagnosisPlugin:
    async def look(params: Params, sight: Sight) -> tuple[str, ...]:
        found = await diagnosis.look(params, sight)
        met[f"diagnosis {name}"] += 1
        return found

    twin = copy(diagnosis)
    vars(twin)["look"] = look
    return twin

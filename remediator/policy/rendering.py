"""Templates of runbooks at work: checked when policy files are read, rendered when an attempt starts.

Both validate the parameters of steps, checks and diagnoses once more; see ``remediator.core.templated``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Protocol

from pydantic import ValidationError

from remediator.actions import ACTIONS
from remediator.checks import CHECKS
from remediator.core.errors import Refused
from remediator.core.plugins import Params
from remediator.core.policies import Check, Diagnosis, Runbook, Scope, Step
from remediator.core.templated import Escape
from remediator.core.text import plain
from remediator.diagnoses import DIAGNOSES
from remediator.policy.placing import Values, compile_placed
from remediator.policy.templates import TemplateRefused

LARGEST_RUNBOOK = 16_384
"""Characters of all parameters together, rendered. An incident's value stays small."""


class _Plugin(Protocol):
    @property
    def params(self) -> type[Params]: ...


def values_of(scope: Scope) -> Values:
    """What templates see. What the catalog does not say is not there."""
    entry = scope.entry
    service = {
        "name": scope.service,
        "namespace": entry.namespace if entry else None,
        "health": entry.health if entry else None,
    }
    target = {}
    workload = scope.target or (entry.workload if entry is not None else None)
    if workload is not None:
        target = {"kind": workload.kind, "namespace": workload.namespace, "name": workload.name}
    return {
        "service": {name: value for name, value in service.items() if value is not None},
        "target": target,
        "incident": {"id": scope.incident},
        "severity": {"name": scope.severity},
    }


def render_runbook(runbook: Runbook, scope: Scope) -> Runbook:
    """``core.policies.Renderer``: every parameter that may hold a template, rendered. Raises Refused."""
    rendering = _Rendering(values_of(scope))
    return replace(
        runbook,
        diagnose=tuple(map(rendering.diagnosis, runbook.diagnose)),
        steps=tuple(map(rendering.step, runbook.steps)),
        verify=tuple(map(rendering.check, runbook.verify)),
    )


class _Rendering:
    """One rendering of one runbook; a ``core.templated.TemplateUse``."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._size = 0

    def __call__(self, source: str, escape: Escape) -> str:
        text = compile_placed(source, escape).render(self._values)
        self._size += len(text)
        if self._size > LARGEST_RUNBOOK:
            raise TemplateRefused(f"the runbook renders to more than {LARGEST_RUNBOOK} characters")
        return text

    def step(self, step: Step) -> Step:
        if step.when is not None:
            step = replace(step, when=self.check(step.when))
        if step.pause is not None:
            return step
        if step.wait is None:
            return replace(step, params=self._params(ACTIONS, step.action, step.params))
        wait = self.check(step.wait)
        return replace(step, params={"for": wait.check, **wait.params}, wait=wait)

    def check(self, check: Check) -> Check:
        return replace(check, params=self._params(CHECKS, check.check, check.params))

    def diagnosis(self, diagnosis: Diagnosis) -> Diagnosis:
        return replace(diagnosis, params=self._params(DIAGNOSES, diagnosis.diagnosis, diagnosis.params))

    def _params(
        self, plugins: Mapping[str, _Plugin], name: str, params: Mapping[str, object]
    ) -> Mapping[str, object]:
        plugin = plugins.get(name)
        if plugin is None:
            return params  # no plugin's: whoever performs it says that it is not known
        try:
            made = plugin.params.model_validate(dict(params), context=self)
        except ValidationError as error:
            reason = str(error.errors(include_url=False, include_input=False)[0]["msg"])
            raise Refused(f"{name}: {plain(reason.removeprefix('Value error, '), 250)}") from None
        return made.model_dump(mode="json", by_alias=True, exclude_none=True)

"""Checks and diagnoses as they are asked in a rehearsal: the real ones, in a world that suits them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Protocol

from remediator.checks.exec import ExecCheckParams
from remediator.checks.http import HttpParams
from remediator.checks.promql import PromqlParams
from remediator.core.cluster import ClusterReader
from remediator.core.journal import CheckResult
from remediator.core.plugins import (
    CheckPlugin,
    DiagnosisPlugin,
    HttpAnswer,
    HttpProber,
    Metrics,
    Params,
    Sight,
)
from remediator.core.running import EXEC
from remediator.rehearsal.programs import asked_by
from remediator.rehearsal.script import Result

_HOLDS = {Result.OK: True, Result.FAILED: False, Result.UNKNOWN: None}


class Said(Protocol):
    """What was said of checks and diagnoses, and what those look at of which nothing was."""

    def check_said(self, name: str) -> Result | None:
        """What was said that the check answers now."""

    def diagnosis_said(self, name: str) -> tuple[str, ...] | None:
        """What was said that the diagnosis finds."""

    def sight(
        self, params: Params, sight: Sight
    ) -> tuple[ClusterReader | None, Metrics | None, HttpProber | None]:
        """What a check of which nothing was said looks at."""

    def beside(self, params: Params, sight: Sight) -> Sight:
        """What is seen by whoever looks at something else than the target."""


class SaidCheck:
    """``core.plugins.CheckPlugin``: what was said of it, else the check itself where it holds."""

    def __init__(self, inner: CheckPlugin, world: Said) -> None:
        self._inner, self._world = inner, world
        self.name = inner.name
        self.params = inner.params
        self.permissions = inner.permissions
        self.example = inner.example

    async def ask(self, params: Params, sight: Sight) -> CheckResult:
        """As the Protocol says."""
        said = self._world.check_said(self.name)
        if isinstance(params, ExecCheckParams):  # whatever was said, it is a guard's to say first
            with asked_by(params, said):
                return await self._inner.ask(params, sight)
        if said is not None and said is not Result.OK:
            return CheckResult(holds=_HOLDS[said], observed=f"the rehearsal says {said}")
        cluster, metrics, http = self._world.sight(params, sight)
        return await self._inner.ask(params, replace(sight, cluster=cluster, metrics=metrics, http=http))


class SaidDiagnosis:
    """``core.plugins.DiagnosisPlugin``: what it was said to find, else what it finds."""

    def __init__(self, inner: DiagnosisPlugin, world: Said) -> None:
        self._inner, self._world = inner, world
        self.name = inner.name
        self.params = inner.params
        self.permissions = inner.permissions
        self.example = inner.example

    async def look(self, params: Params, sight: Sight) -> tuple[str, ...]:
        """As the Protocol says."""
        said = self._world.diagnosis_said(self.name)
        if said is not None and self.name == EXEC:
            await self._inner.look(params, sight)  # raises where a guard objects: then nothing was found
        if said is not None:
            return said
        return await self._inner.look(params, self._world.beside(params, sight))


class WellMetrics:
    """``core.plugins.Metrics``: one value that keeps the check's bound."""

    def __init__(self, params: PromqlParams) -> None:
        self._params = params

    async def query(self, promql: str) -> tuple[tuple[Mapping[str, str], float], ...]:
        """As the Protocol says."""
        asked = self._params
        if asked.equals is not None:
            value = asked.equals
        elif asked.below is not None:
            value = 0.0 if asked.below > 0 else asked.below - 1
        else:
            value = (asked.above or 0.0) + 1
        return (({}, value),)


class WellHttp:
    """``core.plugins.HttpProber``: always the same answer."""

    def __init__(self, status: int, text: str) -> None:
        self._answer = HttpAnswer(status=status, text=text)

    @classmethod
    def for_params(cls, params: HttpParams) -> WellHttp:
        """The answer that the check wants."""
        return cls(int(params.expect[0].replace("xx", "00")), str(params.contains or "ok"))

    async def get(self, url: str, *, hosts: Collection[str], within: float) -> HttpAnswer:
        """As the Protocol says."""
        return self._answer

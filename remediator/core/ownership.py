"""Who keeps an object as its source says, and would set a change of ours back: Flux and Argo CD. Pure.

Both leave a field alone that their source does not name. Which those are, the API server itself tells
(``metadata.managedFields``): that is the strongest evidence. Where it tells nothing of them, an object that
they have marked as theirs is taken to be kept whole. Sources: the pages of Flux on Kustomizations
("Controlling the apply behavior of resources") and HelmReleases ("Drift detection"), that of Argo CD on
resource tracking.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from remediator.core.objects import ObjectRef
from remediator.core.text import plain

REPLICAS = "spec.replicas"
LEAST = "spec.minReplicas"
MOST = "spec.maxReplicas"
UNSCHEDULABLE = "spec.unschedulable"
TEMPLATE = "spec.template"
RESTARTED = "the restart annotation of spec.template"
"""By which ``kubectl rollout restart`` replaces pods: nobody's source names it."""

KUSTOMIZE = "kustomize.toolkit.fluxcd.io"
HELM = "helm.toolkit.fluxcd.io"
TRACKING = "argocd.argoproj.io/tracking-id"
_UNTOUCHED = frozenset(("ifnotpresent", "ignore"))
_TRACKED = re.compile(r"(?P<app>[^:]+):[^/:]*/(?P<kind>[^:]+):(?P<namespace>[^/]*)/(?P<name>.+)")


def container_path(container: str, what: str) -> str:
    """``image`` or ``resources`` of a container of the template, as it is told and compared."""
    return f"{TEMPLATE}: {what} of {container}"


@dataclass(frozen=True, kw_only=True, slots=True)
class FieldManager:
    """Somebody who wrote fields of an object: of those that a change can touch, which."""

    name: str
    owns: frozenset[str] = frozenset()


class Kept(Protocol):
    """An object that may be kept by somebody."""

    @property
    def annotations(self) -> Mapping[str, str]:
        """All of them."""

    @property
    def labels(self) -> Mapping[str, str]:
        """All of them."""

    @property
    def managers(self) -> tuple[FieldManager, ...]:
        """Who wrote which fields; empty where the API server does not tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Keeper:
    """A controller that keeps the object as its source says.

    ``who``: for people. ``writes_as``: names under which it writes fields. ``released``: the annotation by
    which it was told to leave the object alone; empty: it was not. ``release``: how it is told.
    """

    who: str
    writes_as: frozenset[str]
    released: str = ""
    release: str = ""

    def owned(self, kept: Kept, wanted: Sequence[str]) -> tuple[str, ...]:
        """Which of the fields it would set back. A restart is nobody's, unless it is told that it is."""
        written = [each.owns for each in kept.managers if each.name in self.writes_as]
        if not written:
            return tuple(path for path in wanted if path != RESTARTED)
        return tuple(path for path in wanted if any(path in owns for owns in written))


FLUX_KUSTOMIZE = frozenset(("kustomize-controller",))
FLUX_HELM = frozenset(("helm-controller",))
ARGO = frozenset(("argocd-controller", "argocd-application-controller"))


def keepers_of(ref: ObjectRef, kept: Kept) -> Iterator[Keeper]:
    """Every controller that keeps the object: by its own marks on it, or by the fields that it wrote.

    A label that others use as well, such as ``app.kubernetes.io/instance``, proves nothing.
    """
    names = {each.name for each in kept.managers}
    labels, annotations = kept.labels, kept.annotations
    if f"{KUSTOMIZE}/name" in labels or names & FLUX_KUSTOMIZE:
        yield Keeper(
            who=_flux("Kustomization", KUSTOMIZE, labels),
            writes_as=FLUX_KUSTOMIZE,
            released=_released_by_kustomize(annotations),
            release=f"annotate it {KUSTOMIZE}/reconcile: disabled",
        )
    if f"{HELM}/name" in labels or names & FLUX_HELM:
        mark = f"{HELM}/driftDetection"
        yield Keeper(
            who=_flux("HelmRelease", HELM, labels),
            writes_as=FLUX_HELM,
            released=mark if annotations.get(mark, "").lower() == "disabled" else "",
            release=f"annotate it {mark}: disabled",
        )
    app = _tracked(ref, annotations.get(TRACKING, ""))
    if app or names & ARGO:
        who = f"Argo CD (Application {plain(app, 80)})" if app else "Argo CD"
        yield Keeper(who=who, writes_as=ARGO)


def _flux(kind: str, prefix: str, labels: Mapping[str, str]) -> str:
    name, namespace = labels.get(f"{prefix}/name"), labels.get(f"{prefix}/namespace")
    if name is None:
        return "Flux"
    return f"Flux ({kind} {plain('/'.join(filter(None, (namespace, name))), 130)})"


def _released_by_kustomize(annotations: Mapping[str, str]) -> str:
    if annotations.get(f"{KUSTOMIZE}/reconcile", "").lower() == "disabled":
        return f"{KUSTOMIZE}/reconcile"
    if annotations.get(f"{KUSTOMIZE}/ssa", "").lower() in _UNTOUCHED:
        return f"{KUSTOMIZE}/ssa"
    return ""


def _tracked(ref: ObjectRef, tracking: str) -> str:
    """The Application that tracks this very object. A mark that was copied from another names another."""
    found = _TRACKED.fullmatch(tracking)
    if found is None:
        return ""
    told = (found["kind"].lower(), found["namespace"], found["name"])
    return found["app"] if told == (ref.kind, ref.namespace, ref.name) else ""

"""Objects of a cluster by their names: what a claim, a mark and a lost answer are about."""

from __future__ import annotations

from dataclasses import dataclass

NODE = "node"
"""The kind of a Node, which is in no namespace."""
HPA = "horizontalpodautoscaler"
"""The kind of a HorizontalPodAutoscaler, as ``ObjectRef`` names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectRef:
    """An object by its kind (in lower case), its namespace (empty for what is in none) and its name."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    @property
    def path(self) -> str:
        """Unique in the cluster: ``namespace/kind/name``. The key of leases and limits."""
        return f"{self.namespace}/{self.kind}/{self.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Anchor:
    """The very object on which a step's epoch and mark live, where that is not the workload itself."""

    ref: ObjectRef
    uid: str

    def __str__(self) -> str:
        """As the journal keeps it."""
        return f"{self.ref.path}/{self.uid}"

    @classmethod
    def parse(cls, text: str) -> Anchor:
        """What the journal kept. Raises ValueError for what is none."""
        namespace, kind, name, uid = text.split("/")
        return cls(ref=ObjectRef(kind=kind, namespace=namespace, name=name), uid=uid)

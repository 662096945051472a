"""Renders the chart. What was rendered once is remembered: nearly every test looks at the same few."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from ruamel.yaml import YAML

ROOT = Path(__file__).parent.parent.parent
CHART = ROOT / "chart"
HELM = Path(sysconfig.get_path("scripts")) / "helm"
NAMESPACE = "ops"
RELEASE = "remediator"
Object: TypeAlias = dict[str, Any]
Values: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """The objects of one rendering, hooks included."""

    objects: tuple[Object, ...]

    def of(self, kind: str) -> list[Object]:
        """All of a kind."""
        return [one for one in self.objects if one["kind"] == kind]

    def one(self, kind: str, name: str = RELEASE) -> Object:
        """The one of that kind and name."""
        (found,) = (one for one in self.of(kind) if one["metadata"]["name"] == name)
        return found

    def templates(self) -> Iterator[tuple[str, Object]]:
        """Every pod, by whose it is: its metadata and spec."""
        for one in self.objects:
            if one["kind"] == "Pod":
                yield f"Pod/{one['metadata']['name']}", one
            elif "template" in one.get("spec", {}):
                yield f"{one['kind']}/{one['metadata']['name']}", one["spec"]["template"]


def helm(*arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """What helm answers. It is given no cluster."""
    return subprocess.run(
        [str(HELM), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin", "KUBECONFIG": "/dev/null"},
    )


def read(text: str) -> tuple[Object, ...]:
    """The objects of manifests, read as Kubernetes reads them: with a YAML of old."""
    yaml = YAML(typ="safe")
    yaml.version = "1.1"
    return tuple(one for one in yaml.load_all(text) if one)


def render(values: Values | None = None, *options: str, chart: Path = CHART) -> Rendered:
    """The chart with these values. They travel as JSON, which is YAML."""
    return _render(json.dumps(values or {}, sort_keys=True), options, chart)


@cache
def _render(values: str, options: tuple[str, ...], chart: Path) -> Rendered:
    done = helm("template", RELEASE, str(chart), "-n", NAMESPACE, "-f", "-", *options, stdin=values)
    assert done.returncode == 0, done.stderr
    return Rendered(objects=read(done.stdout))


def refusal(values: Values) -> str:
    """Why helm does not render these values."""
    done = helm("template", RELEASE, str(CHART), "-n", NAMESPACE, "-f", "-", stdin=json.dumps(values))
    assert done.returncode != 0, "it was rendered"
    return done.stderr

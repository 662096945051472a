"""The policies that are shipped, as they are, but for the catalog and the times of a test's world.

What is replaced, and nothing else: the namespace; where services answer; how long checks must hold and are
waited for; how long an alert is held, an isolation lasts, and the windows of rates in queries.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

SHIPPED = Path(__file__).parents[2] / "policies"
NAMESPACE = "fintech-services"
HOLDS_FOR = "1s"
"""In place of every `for` of a check and every `hold` of a rule."""
RATES_OVER = "[3s]"


@dataclass(frozen=True, kw_only=True)
class Times:
    """``within``: how long checks and waits are waited for; ``isolated``: how long an isolation lasts."""

    within: str = "10m"
    isolated: str = "15m"


def write_shipped(folder: Path, namespace: str, health: Mapping[str, str], times: Times) -> Path:
    """All files of ``policies/`` but the tests. ``health``: ``host:port`` of each service in this world."""
    folder.mkdir()
    reader = YAML(typ="safe", pure=True)
    for path in sorted(SHIPPED.rglob("*.yaml")):
        if path.name.endswith("_test.yaml"):
            continue
        text = path.read_text()
        for service, where in health.items():
            text = re.sub(rf"{service}\.{NAMESPACE}:\d+", where, text)
        text = text.replace(NAMESPACE, namespace).replace("[5m]", RATES_OVER)
        document = reader.load(text)
        for rule in document.get("rules", ()):
            if "hold" in rule:
                rule["hold"] = HOLDS_FOR
        for runbook in document.get("runbooks", {}).values():
            _hasten(runbook, times)
        (folder / path.name).write_text(json.dumps(document))  # JSON is YAML
    return folder


def _hasten(runbook: dict[str, Any], times: Times) -> None:
    for check in runbook.get("verify", ()):
        [params] = check.values()
        params["within"] = times.within
        if "for" in params:
            params["for"] = HOLDS_FOR
    for step in runbook["steps"]:
        if "wait" in step:
            step["wait"]["timeout"] = times.within
        if "isolate" in step:
            step["isolate"]["for"] = times.isolated

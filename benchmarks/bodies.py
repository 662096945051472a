"""Notifications to send: what Alertmanager sends, with the places where each request must differ marked.

The marks are as long as what replaces them, so that a request's length is known before it is made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

RECORDING = Path(__file__).parent.parent / "tests" / "recordings" / "alertmanager" / "am033_firing.json"
MARK = "@" * 16
"""Stands for sixteen hexadecimal digits, different for each alert."""
SERVICES = 24
_NAMES = ("TargetDown", "HighErrorRate", "HighLatency", "KubePodCrashLooping", "CertificateExpiresSoon")
"""With the default policies: SEV-2 twice, SEV-3 twice and what only its severity label classifies."""


def templates(alerts: int) -> list[str]:
    """One notification for every service, each about so many pods of it. Every alert has MARK twice."""
    return [
        _compact(_notification(f"service-{n:02}", _NAMES[n % len(_NAMES)], alerts)) for n in range(SERVICES)
    ]


def settled(alerts: int) -> str:
    """A notification without marks: sent again and again, it tells of the same alerts."""
    [body] = _filled(templates(alerts)[:1])
    return body


def _filled(bodies: list[str]) -> Iterator[str]:
    for body in bodies:
        first, *rest = body.split(MARK)
        yield first + "".join(f"{0xABC0000 + n // 2:016x}{part}" for n, part in enumerate(rest))


def _notification(service: str, name: str, alerts: int) -> dict[str, object]:
    recorded: dict[str, Any] = json.loads(RECORDING.read_bytes())
    common = {"alertname": name, "namespace": "fintech-services", "service": service}
    alert = recorded["alerts"][0]
    labels = {**alert["labels"], **common, "severity": "warning"}
    each = {**alert, "labels": {**labels, "pod": f"{service}-{MARK}"}, "fingerprint": MARK}
    return {
        **recorded,
        "alerts": [each] * alerts,
        "groupLabels": {"alertname": name, "service": service},
        "commonLabels": labels,
        "groupKey": f'{{}}:{{alertname="{name}", service="{service}"}}',
    }


def _compact(value: object) -> str:
    """As Go writes JSON: nothing between the tokens, and no character that HTML could misread."""
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text

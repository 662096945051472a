"""What it costs to read a webhook body: microseconds per body, for one and for fifty alerts."""

from __future__ import annotations

import json
import timeit
from pathlib import Path

from remediator.http.payload import parse_notification

RECORDING = Path(__file__).parent.parent / "tests" / "recordings" / "alertmanager" / "am033_firing.json"


def body(alerts: int) -> bytes:
    """A recorded notification with that many alerts, as compact as Alertmanager sends it."""
    notification = json.loads(RECORDING.read_bytes())
    first = notification["alerts"][0]
    notification["alerts"] = [{**first, "fingerprint": f"{n:016x}"} for n in range(alerts)]
    text = json.dumps(notification, separators=(",", ":"), ensure_ascii=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()


def microseconds(alerts: int) -> float:
    """The best of nine rounds."""
    data = body(alerts)
    rounds = 20_000 // alerts
    return min(timeit.repeat(lambda: parse_notification(data), number=rounds, repeat=9)) / rounds * 1e6


def main() -> None:
    for alerts in (1, 50):
        size = len(body(alerts))
        cost = microseconds(alerts)
        print(
            f"{alerts:>3} alerts, {size:>6} bytes: {cost:7.1f} µs per body, {cost / alerts:5.1f} µs per alert"
        )


if __name__ == "__main__":
    main()

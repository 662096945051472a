"""The two scenes: one that the daemon ends by itself, and one for which it needs people."""

from __future__ import annotations

from typing import Any

from remediator.testing.demo.ending import Ending, ending_of
from remediator.testing.demo.follower import Follower
from remediator.testing.demo.narrator import Narrator
from remediator.testing.demo.stage import Stage
from remediator.testing.demo.town import HEALS, STAYS_BROKEN, Scene

PATIENCE = 60.0
"""Seconds that a scene may take; twice and more of what it takes on a slow machine."""

Json = dict[str, Any]


async def tell(stage: Stage, follower: Follower, narrator: Narrator) -> list[Ending]:
    """Play both scenes; how they ended. Raises DemoError when one does not come to its end."""
    narrator.begin()
    _break(stage, narrator, HEALS)
    await follower.until(HEALS.service, "its end", _is_over, PATIENCE)
    _break(stage, narrator, STAYS_BROKEN)
    await follower.until(STAYS_BROKEN.service, "its escalation", _has_climbed, PATIENCE)
    narrator.say("")
    narrator.say("The on-call engineer did not answer; the manager does, and takes it on:", "bold")
    incident = follower.of(STAYS_BROKEN.service)
    assert incident is not None
    await follower.ask("POST", f"/v1/incidents/{incident['id']}/acknowledge", token=stage.keys.manager)
    await follower.until(STAYS_BROKEN.service, "its acknowledgement", _is_taken_on, PATIENCE)
    await follower.look()
    found = (follower.of(scene.service) for scene in (HEALS, STAYS_BROKEN))
    return [ending_of(stage, incident) for incident in found if incident is not None]


def _break(stage: Stage, narrator: Narrator, scene: Scene) -> None:
    narrator.say("")
    narrator.say(scene.told, "bold")
    scene.happen(stage.cluster)


def _is_over(incident: Json) -> bool:
    """Resolved, or handed to people: then the end is another than it should be, and the demo says so."""
    return bool(incident["status"] in ("resolved", "escalated"))


def _has_climbed(incident: Json) -> bool:
    """Two levels have been paged and both pages have arrived; or it is resolved, which it should not be."""
    arrived = [page for page in incident["pages"] if page["trigger"] == "accepted"]
    return incident["status"] == "resolved" or (incident["level"] >= 2 and len(arrived) >= 2)


def _is_taken_on(incident: Json) -> bool:
    return incident["acknowledged_at"] is not None

"""Those who are asked for approval: some agree, some refuse, some have read another plan."""

from __future__ import annotations

import asyncio
from random import Random

from remediator.core.alerts import Lane
from remediator.core.incident import Incident, Request
from remediator.core.journal import PlanApproved, PlanRejected
from remediator.core.store import IncidentFilter
from remediator.testing.simulation.history import Agreed, History
from remediator.testing.simulation.recording import RecordingStore

LOOK_EVERY = 2.0
STALE = "0000000000000000"
"""The digest of a plan that nobody was ever shown."""


async def answer_questions(store: RecordingStore, history: History) -> None:
    """See what waits, think about it, and answer; each question by chance of its own, so that no other
    chance of a seed is another one for it."""
    seen: set[str] = set()
    thinking: set[asyncio.Task[None]] = set()
    while True:
        page = await store.incidents(IncidentFilter(), 1000, None)
        for incident in page.items:
            attempt = incident.active
            if attempt is None or attempt.request is None:
                continue
            question = f"{incident.id} {attempt.request_name}"
            if question not in seen:
                seen.add(question)
                work = _answer(store, history, incident, attempt.request)
                task = asyncio.get_running_loop().create_task(work)
                thinking.add(task)
                task.add_done_callback(thinking.discard)
        await asyncio.sleep(LOOK_EVERY)


async def _answer(store: RecordingStore, history: History, incident: Incident, request: Request) -> None:
    attempt = incident.active
    assert attempt is not None
    own = Random(f"{incident.id} {attempt.request_name}")
    digest = request.plan.digest
    if own.random() < 0.3:  # first somebody who has read something else
        await asyncio.sleep(own.uniform(0, 10))
        await store.append(incident.id, PlanApproved(by="stale", digest=STALE), Lane.URGENT)
    await asyncio.sleep(own.uniform(0, 60))
    mood = own.random()
    if mood < 0.7:
        history.add(Agreed(attempt=f"{incident.id}/{attempt.number}", at=history.now()))
        for _ in range(own.choice([1, 1, 2])):
            await store.append(incident.id, PlanApproved(by="ada", digest=digest), Lane.URGENT)
    elif mood < 0.85:
        await store.append(incident.id, PlanRejected(by="ada", digest=digest), Lane.URGENT)

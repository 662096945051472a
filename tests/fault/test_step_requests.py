"""P7 for requests: a service is asked once at most, whenever the daemon dies and whatever gets lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from remediator.adapters.sender import Sender
from remediator.core.errors import Refused
from remediator.core.incident import Outcome
from remediator.core.journal import ActResult, Kind
from remediator.core.policies import SecretRef, Step
from tests.core.test_decide import opened
from tests.fault.step_stage import Fuse, StepStage, staged
from tests.rude_server import Answer, RudeServer, rude_server, say
from tests.servers import free_port

TOKEN = "s3cret-value"


def read(ref: SecretRef) -> str:
    """The one secret there is."""
    if ref.env != "TOKEN":
        raise Refused(f"{ref.env} is not set")
    return TOKEN


@dataclass(kw_only=True)
class Asking:
    """A step that asks the service, and the service."""

    stage: StepStage
    service: RudeServer

    @property
    def asked(self) -> int:
        """How often, as the service counts it."""
        return len(self.service.heads)


@asynccontextmanager
async def asking(directory: Path, answer: Answer | None = None, **params: Any) -> AsyncIterator[Asking]:
    """The incident waits for the step. The catalog names the service's address."""
    step = Step(action="http", params={"path": "/breakers/reset", "timeout": "500ms", **params})
    async with (
        rude_server(answer or say("200 OK", b"closed; token=abc123\nforged")) as service,
        Sender.opened(read) as sender,
        staged(directory, step) as stage,
    ):
        of = stage.life.policy
        entry = replace(of.services["web"], health=f"http://{service.host}/health")
        stage.life = opened(replace(of, services={"web": entry}))
        stage.sender = sender
        yield Asking(stage=stage, service=service)


async def test_a_request_is_sent_once_with_the_step_as_its_key(tmp_path: Path) -> None:
    """What it answered stands on the timeline, secrets hidden; the token stands nowhere."""
    async with asking(tmp_path, token={"env": "TOKEN"}, body='{"why": "incident"}') as scene:
        stage = scene.stage
        step = stage.effect().step_id
        outcome = await stage.perform()
        assert outcome is not None
        assert (outcome.result, scene.asked) == (ActResult.DONE, 1)
        [sent] = scene.service.heads
        assert f"Idempotency-Key: {step}\r\n" in sent
        assert f"Bearer {TOKEN}" in sent
        assert sent.endswith('{"why": "incident"}')
        url = f"http://{scene.service.host}/breakers/reset"
        assert outcome.changes == (f"POST {url} for deployment/web",)
        assert outcome.reason == f"POST {url} for deployment/web: answered 200, idempotency key {step}"
        told = [entry.text for entry in stage.life.decisions[-1].timeline]
        assert told[-1].startswith("http: closed; token=[redacted]")
        assert TOKEN not in repr(stage.life.decisions)


async def boundaries(directory: Path) -> list[tuple[int, str]]:
    """Each place before and after a call of the step, with that call."""
    async with asking(directory) as scene:
        fuse = Fuse()
        outcome = await scene.stage.perform(fuse)
        assert outcome is not None
        assert outcome.result is ActResult.DONE
        return [(2 * number + side, name) for number, name in enumerate(fuse.calls) for side in (0, 1)]


async def tried(directory: Path) -> None:
    places = await boundaries(directory)
    after = [name for _, name in places].index("intend") + 1
    assert len(places) >= 4
    for number, (at, _) in enumerate(places):
        async with asking(directory) as scene:
            assert await scene.stage.perform(Fuse(at=at)) is None
            before = scene.asked
            outcome = await scene.stage.finish()
            if number < after:
                assert (outcome.result, before, scene.asked) == (ActResult.DONE, 0, 1)
                continue
            assert outcome.result is ActResult.UNKNOWN, scene.stage.outcomes
            assert scene.asked == before <= 1
            assert scene.stage.attempt.outcome is Outcome.UNKNOWN
            assert len(scene.stage.life.pages) == 1


@pytest.mark.full
async def test_P7_a_request_killed_at_every_call_is_sent_once_at_most(tmp_path: Path) -> None:
    """Reads included."""
    await tried(tmp_path)


async def test_P17_an_answer_that_does_not_come_in_time_is_unknown_and_never_asked_for_again(
    tmp_path: Path,
) -> None:
    async with asking(tmp_path) as scene, rude_server() as silent:
        stage = scene.stage
        of = stage.life.policy
        entry = replace(of.services["web"], health=f"http://{silent.host}/health")
        stage.life = opened(replace(of, services={"web": entry}))
        outcome = await stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.UNKNOWN
        assert "no answer within 0.5s" in outcome.reason
        assert "act" not in stage.life.timers
        assert len(stage.life.pages) == 1
        assert len(silent.heads) == 1


@pytest.mark.parametrize("status", ["404 Not Found", "500 Oops", "302 Found"])
async def test_an_answer_that_was_not_wanted_is_a_failure_that_was_sent(tmp_path: Path, status: str) -> None:
    async with asking(tmp_path, say(status, b"no")) as scene:
        outcome = await scene.stage.perform()
        assert outcome is not None
        assert outcome.result is ActResult.FAILED
        assert outcome.reason.endswith("wanted 2xx")
        assert len(outcome.changes) == scene.asked == 1
        told = [e.text for e in scene.stage.life.decisions[-1].timeline if e.kind is Kind.OUTPUT]
        assert told == ["http: no"]


@pytest.mark.parametrize(
    ("params", "why"),
    [
        (
            {"path": None, "url": "http://elsewhere.example/x"},
            "dry_run: could not find out: elsewhere.example",
        ),
        ({"token": {"env": "GONE"}}, "dry_run: could not find out: GONE is not set"),
    ],
)
async def test_what_cannot_be_sent_is_blocked_before_anything_is(
    tmp_path: Path, params: dict[str, Any], why: str
) -> None:
    """A host that is not the catalog's, a secret that is not there."""
    async with asking(tmp_path, **params) as scene:
        outcome = await scene.stage.perform()
        assert outcome is not None
        assert (outcome.result, scene.asked) == (ActResult.BLOCKED, 0)
        assert outcome.reason.startswith(why)
        assert await scene.stage.store.intended(scene.stage.outcomes[0].effect) is None


async def test_P17_a_service_that_does_not_listen_is_asked_later(tmp_path: Path) -> None:
    """Nothing was sent. When it listens again it is asked, once."""
    async with asking(tmp_path) as scene:
        stage = scene.stage
        good = stage.life.policy
        entry = replace(good.services["web"], health=f"http://127.0.0.1:{free_port()}/health")
        stage.life.policy = replace(good, services={"web": entry})
        outcome = await stage.perform()
        assert outcome is not None
        assert (outcome.result, outcome.in_doubt) == (ActResult.RETRY, False)
        stage.life.policy = good
        assert (await stage.finish()).result is ActResult.DONE
        assert scene.asked == 1

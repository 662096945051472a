"""What creates silences, and what stands for it in rehearsals, keep the same promises."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from remediator.adapters.alertmanager import AlertmanagerSet
from remediator.core.alertmanagers import Alertmanagers, suppressors
from remediator.core.alerts import AlertStatus
from remediator.core.matchers import Matcher, MatchOp
from remediator.core.silencing import Silencer, WantedSilence
from remediator.core.times import MINUTE, Instant, Millis
from remediator.http.payload import read_alert
from remediator.rehearsal.script import StepOutcome
from remediator.rehearsal.silencing import StagedAlertmanager, StagedSilencer
from tests.alertmanagers import RealAlertmanager, alertmanagers
from tests.contract.stores import system_clock
from tests.core.builders import alert
from tests.servers import free_port

HOSTILE = 'a|.+$(id)"{{7*7}}\\'


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A silencer, and who lists the one alert."""

    silencer: Silencer
    asked: Alertmanagers
    now: Callable[[], int]


@dataclass
class Quietly:
    """The rehearsal around it: nothing was said of the step."""

    async def _no_time(self, span: Millis) -> None:
        raise AssertionError(span)

    @property
    def sleep(self) -> Callable[[Millis], Awaitable[None]]:
        return self._no_time

    def step_said(self) -> StepOutcome | None:
        return None


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealAlertmanager]:
    with alertmanagers(tmp_path_factory.mktemp("alertmanager"), free_port()) as (one,):
        one.fire("ServiceDown", service="web", path=HOSTILE)
        yield one


@asynccontextmanager
async def scene(kind: str, real: RealAlertmanager) -> AsyncIterator[Scene]:
    """``twice``: two addresses lead to one Alertmanager that belongs to no cluster."""
    if kind == "staged":
        staged = StagedAlertmanager(lambda: Instant(system_clock()))
        staged.hear(alert("aa", AlertStatus.FIRING, path=HOSTILE))
        yield Scene(silencer=StagedSilencer(Quietly(), staged), asked=staged, now=system_clock)
        return
    for silence in real.call("GET", "/api/v2/silences"):
        if silence["status"]["state"] != "expired":
            real.expire(silence["id"])
    urls = [real.url] * (2 if kind == "twice" else 1)
    async with AlertmanagerSet.connected(urls, receiver="remediator", read=read_alert) as asked:
        yield Scene(silencer=asked.silencer, asked=asked, now=system_clock)


def wanted(now: int, mark: str, **labels: str) -> WantedSilence:
    """A silence of what has these labels."""
    return WantedSilence(
        comment=f"remediator: {mark}, runbook r",
        matchers=tuple(Matcher(name=k, op=MatchOp.EQUAL, value=v) for k, v in labels.items()),
        starts_at=Instant(now),
        ends_at=Instant(now + 5 * MINUTE),
    )


async def quiet(of: Scene) -> tuple[int, int]:
    """How many alerts are under a silence of ours, and of how many silences."""
    listings = await of.asked.ask({"ServiceDown"})
    [one] = listings[0].alerts  # type: ignore[union-attr]  # it answers
    return suppressors(listings, {one.alert.fingerprint}).own, len(one.silenced_by)


@pytest.mark.parametrize("kind", ["staged", "real", "twice"])
async def test_a_silence_is_created_once_found_by_its_comment_and_ended(
    kind: str, real: RealAlertmanager
) -> None:
    """However often each is asked for; another step's is another silence."""
    async with scene(kind, real) as of:
        silencer, mine = of.silencer, wanted(of.now(), "i/1/0", alertname="ServiceDown", path=HOSTILE)
        await silencer.permit()
        assert (await silencer.stands(mine), await silencer.is_over(mine)) == (False, True)
        assert await quiet(of) == (0, 0)
        for _ in range(2):
            await silencer.create(mine)
            assert (await silencer.stands(mine), await silencer.is_over(mine)) == (True, False)
            assert await quiet(of) == (1, 1)
        other = wanted(of.now(), "i/1/1", alertname="ServiceDown")
        assert not await silencer.stands(other)
        await silencer.create(other)
        assert await quiet(of) == (1, 2)
        for _ in range(2):
            await silencer.end(mine)
            assert (await silencer.stands(mine), await silencer.is_over(mine)) == (False, True)
        assert await quiet(of) == (1, 1)
        await silencer.end(other)
        assert await quiet(of) == (0, 0)


@pytest.mark.parametrize("kind", ["staged", "real"])
async def test_what_has_other_labels_is_not_silenced(kind: str, real: RealAlertmanager) -> None:
    async with scene(kind, real) as of:
        for number, labels in enumerate(({"path": "a"}, {"path": ".*"}, {"team": "db"})):
            await of.silencer.create(wanted(of.now(), f"i/2/{number}", alertname="ServiceDown", **labels))
        assert await quiet(of) == (0, 0)

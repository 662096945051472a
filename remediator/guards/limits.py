"""Guard 10, ``limits``: not too often, on any replica."""

from __future__ import annotations

from typing import ClassVar

from remediator.core.plugins import Permission
from remediator.core.policies import Rate
from remediator.core.recurring import spent
from remediator.core.store import Limit, LimitUse
from remediator.core.times import format_duration, format_instant
from remediator.core.verdicts import ChangeRequest, GuardPorts, Measure, Verdict


class Limits:
    """Rate per cluster, service and target; attempts and cooldown of the runbook on the target.

    All are checked, then taken, in one script on the store's clock. An attempt takes them once. What came
    undone within ``per`` of being mended, as often in a row as the runbook has attempts, is not mended once
    more, however slowly it recurs.
    """

    name: ClassVar[str] = "limits"
    asks: ClassVar[str] = "that rate, attempts and cooldown leave room"
    again: ClassVar[bool] = False
    permissions: ClassVar[tuple[Permission, ...]] = ()

    async def judge(self, request: ChangeRequest, ports: GuardPorts) -> Verdict:
        """Names the limit that is exhausted and when it frees up."""
        uses = await ports.use_limits(limits_of(request), request.member)
        measures = tuple(map(_measure, uses))
        exceeded = [use for use in uses if use.exceeded]
        if exceeded:
            text = "; ".join(_describe(use) for use in exceeded)
            return Verdict(guard=self.name, allowed=False, text=text, measures=measures)
        if not request.expires and (why := spent(request.incident, request.attempt.runbook)):
            return Verdict(guard=self.name, allowed=False, text=why, measures=measures)
        tightest = max(uses, key=lambda use: (use.used + 1) / use.limit.rate.count)
        text = f"tightest is {_describe(tightest)}"
        return Verdict(guard=self.name, allowed=True, text=text, measures=measures)

    def bounds(self, request: ChangeRequest) -> tuple[str, ...]:
        """Every limit that would count."""
        return tuple(
            f"{limit.text} {limit.rate.count}/{format_duration(limit.rate.per)}"
            for limit in limits_of(request)
        )


def _measure(use: LimitUse) -> Measure:
    rate = use.limit.rate
    return Measure(what=use.limit.text, observed=use.used, allowed=rate.count, within=rate.per)


def _describe(use: LimitUse) -> str:
    rate = use.limit.rate
    text = (
        f"{use.limit.text}: {use.used} in the last {format_duration(rate.per)}, at most {rate.count} allowed"
    )
    if use.exceeded and use.free_at is not None:
        text += f", free again at {format_instant(use.free_at)}"
    return text


def limits_of(request: ChangeRequest) -> tuple[Limit, ...]:
    """Every limit that an attempt counts against. The policy's rates are the newest, the runbook's pinned."""
    rate, runbook = request.policy.guards.rate, request.attempt.runbook
    path = request.target.path if request.target is not None else "none"
    bounds = runbook.limits
    limits = [
        Limit(name="rate/cluster", rate=rate.cluster, text="changes in the cluster"),
        Limit(
            name=f"rate/service/{request.incident.service}",
            rate=rate.service,
            text=f"changes of service {request.incident.service}",
        ),
        Limit(name=f"rate/target/{path}", rate=rate.target, text=f"changes of {path}"),
    ]
    if request.expires:  # the attempt has been counted; its end is no further one
        return tuple(limits)
    limits += [
        Limit(
            name=f"attempts/{runbook.name}/{path}",
            rate=Rate(count=bounds.attempts, per=bounds.per),
            text=f"attempts of {runbook.name} on {path}",
        ),
    ]
    if bounds.cooldown:
        limits.append(
            Limit(
                name=f"cooldown/{runbook.name}/{path}",
                rate=Rate(count=1, per=bounds.cooldown),
                text=f"cooldown of {runbook.name} on {path}",
            )
        )
    return tuple(limits)

"""Requests of a rehearsal: nothing is sent, and each is answered as was said, else as its step wants."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Protocol

from remediator.core.errors import Refused, Unknown
from remediator.core.probing import authority, expected
from remediator.core.requests import HttpReply, HttpRequest
from remediator.rehearsal.programs import Surroundings
from remediator.rehearsal.script import Result

ILL = (500, 404, 302, 200)
"""Statuses of answers that a step did not expect: the first of these that it does not."""


class Asked(Surroundings, Protocol):
    """What requests must know of the rehearsal around them."""

    def step_expects(self) -> Sequence[str]:
        """The statuses that the step which is being performed expects."""


class StagedSender:
    """``core.requests.HttpSender``. Its guards are the daemon's own; no secret is read."""

    def __init__(self, world: Asked) -> None:
        self._world = world

    async def permit(self, request: HttpRequest, *, hosts: Collection[str]) -> None:
        """As the Protocol says."""
        if authority(request.url) not in hosts:
            raise Refused(f"{authority(request.url)} is no health URL's host in the catalog")

    async def send(self, request: HttpRequest, *, hosts: Collection[str], key: str) -> HttpReply:
        """As the Protocol says."""
        await self.permit(request, hosts=hosts)
        said, wanted = self._world.step_said(), self._world.step_expects()
        if said is not None and said.takes:
            await self._world.sleep(said.takes)
        match said.result if said is not None else Result.OK:
            case Result.FAILED:
                return HttpReply(
                    status=next(code for code in ILL if not expected(code, wanted)),
                    text="the rehearsal lets it fail",
                )
            case Result.UNKNOWN:
                raise Unknown("the rehearsal gives no answer")
            case Result.OK:
                return HttpReply(status=int(wanted[0].replace("xx", "00")), text="")

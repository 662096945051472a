"""``/-/fake/``: how another process looks into this server and tells it how to behave.

``GET ledger``, ``GET requests``, ``GET``, ``POST`` and ``DELETE faults``, ``POST behave`` (``namespace``,
``name`` and what ``Behaviour.parse`` takes), ``POST objects`` (a manifest), ``POST log`` (``namespace``,
``pod``, ``text``, and if wanted ``container`` and ``previous``), ``POST compact``, ``GET resting``. No token
is asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol, TypeAlias

from aiohttp import web

from remediator.testing.apiserver.behaviour import Behaviour
from remediator.testing.apiserver.cluster import Cluster
from remediator.testing.apiserver.faults import Fault, Faults
from remediator.testing.apiserver.ledger import Arrival, Ledger
from remediator.testing.apiserver.objects import Json

PREFIX = "/-/fake/"


class Controlled(Protocol):
    """What a server offers to other processes."""

    faults: Faults
    ledger: Ledger
    cluster: Cluster

    @property
    def requests(self) -> Sequence[Arrival]:
        """What arrived."""

    def create(self, manifest: Json) -> Json:
        """An object, as an administrator would."""

    def behave(self, namespace: str, name: str, behaviour: Behaviour) -> None:
        """How pods do from now on."""

    def set_log(
        self, namespace: str, pod: str, text: str, *, container: str = "", previous: bool = False
    ) -> None:
        """What a container has written."""


Call: TypeAlias = Callable[[Controlled, Any], Any]


def _ledger(server: Controlled, _: Any) -> Any:
    return [effect.as_json() for effect in server.ledger]


def _requests(server: Controlled, _: Any) -> Any:
    return [arrival.as_json() for arrival in server.requests]


def _resting(server: Controlled, _: Any) -> Any:
    return {"resting": server.cluster.resting}


def _faults(server: Controlled, _: Any) -> Any:
    return [asdict(fault) for fault in server.faults.pending()]


def _add_fault(server: Controlled, body: Any) -> Any:
    server.faults.add(Fault.parse(body))
    return {}


def _clear_faults(server: Controlled, _: Any) -> Any:
    server.faults.clear()
    return {}


def _behave(server: Controlled, body: Any) -> Any:
    server.behave(body["namespace"], body["name"], Behaviour.parse(body))
    return {}


def _create(server: Controlled, body: Any) -> Any:
    return server.create(body)


def _log(server: Controlled, body: Any) -> Any:
    extra = {name: body[name] for name in ("container", "previous") if name in body}
    server.set_log(body["namespace"], body["pod"], body["text"], **extra)
    return {}


def _compact(server: Controlled, _: Any) -> Any:
    server.cluster.store.compact()
    return {}


_CALLS: Mapping[tuple[str, str], Call] = {
    ("GET", "ledger"): _ledger,
    ("GET", "requests"): _requests,
    ("GET", "resting"): _resting,
    ("GET", "faults"): _faults,
    ("POST", "faults"): _add_fault,
    ("DELETE", "faults"): _clear_faults,
    ("POST", "behave"): _behave,
    ("POST", "objects"): _create,
    ("POST", "log"): _log,
    ("POST", "compact"): _compact,
}


def handler(server: Controlled) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """The handler of every path under the prefix."""

    async def handle(http: web.Request) -> web.StreamResponse:
        call = _CALLS.get((http.method, http.path.removeprefix(PREFIX)))
        if call is None:
            return web.json_response({"error": f"no {http.method} {http.path}"}, status=404)
        try:
            body = await http.json() if http.can_read_body else None
            return web.json_response(call(server, body))
        except (KeyError, TypeError, ValueError) as error:
            return web.json_response({"error": repr(error)}, status=400)

    return handle

"""``/-/fake/``: how another process looks into this server and tells it how to behave.

``GET ledger``, ``GET requests``, ``GET``, ``POST`` and ``DELETE faults``, ``POST behave`` (``namespace``,
``name`` and what ``Behaviour.parse`` takes), ``POST objects`` (a manifest), ``POST log`` (``namespace``,
``pod``, ``text``, and if wanted ``container`` and ``previous``), ``POST compact``, ``GET resting``. No token
is asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TypeAlias

from aiohttp import web

from remediator.testing.apiserver.behaviour import Behaviour
from remediator.testing.apiserver.faults import Fault

if TYPE_CHECKING:
    from remediator.testing.apiserver.server import FakeApiServer

PREFIX = "/-/fake/"
Call: TypeAlias = Callable[["FakeApiServer", Any], Any]


def _ledger(server: FakeApiServer, _: Any) -> Any:
    return [effect.as_json() for effect in server.ledger]


def _requests(server: FakeApiServer, _: Any) -> Any:
    return [arrival.as_json() for arrival in server.requests]


def _resting(server: FakeApiServer, _: Any) -> Any:
    return {"resting": server.cluster.resting}


def _faults(server: FakeApiServer, _: Any) -> Any:
    return [asdict(fault) for fault in server.faults.pending()]


def _add_fault(server: FakeApiServer, body: Any) -> Any:
    server.faults.add(Fault.parse(body))
    return {}


def _clear_faults(server: FakeApiServer, _: Any) -> Any:
    server.faults.clear()
    return {}


def _behave(server: FakeApiServer, body: Any) -> Any:
    server.behave(body["namespace"], body["name"], Behaviour.parse(body))
    return {}


def _create(server: FakeApiServer, body: Any) -> Any:
    return server.create(body)


def _log(server: FakeApiServer, body: Any) -> Any:
    extra = {name: body[name] for name in ("container", "previous") if name in body}
    server.set_log(body["namespace"], body["pod"], body["text"], **extra)
    return {}


def _compact(server: FakeApiServer, _: Any) -> Any:
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


def handler(server: FakeApiServer) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
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

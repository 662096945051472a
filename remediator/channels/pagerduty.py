"""Channel ``pagerduty``: the Events API v2, by PagerDuty's own client.

The client is synchronous and would retry by itself, for ever on 429. It is called in a thread, gives up at
the first answer that is no success, and the durable retry is the outbox's. A ``dedup_key`` makes repeating
harmless: an open incident swallows a second trigger.

Source: https://developer.pagerduty.com/docs/events-api-v2-overview
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any

from remediator.core.errors import Refused, RemediatorError, Retryable, Unknown
from remediator.core.journal import PageKind
from remediator.core.plugins import ChannelMessage
from remediator.core.policies import ChannelSpec, SecretRef
from remediator.core.ports import Runtime
from remediator.core.text import plain
from remediator.core.times import HOUR, MINUTE, SECOND, Millis

if TYPE_CHECKING:
    from pagerduty import EventsApiV2Client

DEFAULT_URL = "https://events.pagerduty.com"
WITHIN = 10.0
"""Seconds for one delivery, whatever the server does."""
SILENT_FOR = 4
"""Seconds without a byte, or for a connection, before one is given up: two of them fit into WITHIN."""
LONGEST_TEXT = 4000
"""Characters of one detail; an event has room for 512 KB."""
AGAIN_AFTER_429 = MINUTE
SURELY_NOT_SENT = frozenset(
    ("ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol")
)


def machine_authorities() -> ssl.SSLContext:
    """Whom to trust, read anew for every message: 20 ms. OpenSSL heeds SSL_CERT_FILE and SSL_CERT_DIR."""
    return ssl.create_default_context()


class PagerDuty:
    """One PagerDuty service. ``secret`` reads the routing key anew for every message.

    The certificate of the server is checked against ``SSL_CERT_FILE`` or ``SSL_CERT_DIR`` where they are set,
    else against the authorities of the machine.
    """

    def __init__(
        self,
        spec: ChannelSpec,
        *,
        runtime: Runtime,
        secret: Callable[[SecretRef], str],
        default_url: str = DEFAULT_URL,
        trust: Callable[[], ssl.SSLContext] = machine_authorities,
    ) -> None:
        self._spec, self._runtime, self._secret, self._trust = spec, runtime, secret, trust
        self._url = spec.settings.get("url", default_url)

    async def send(self, message: ChannelMessage) -> str:
        """What PagerDuty said.

        Raises Refused (a 4xx, no routing key, a URL without TLS), Retryable (429, 5xx, no connection) and
        Unknown (the answer got lost).
        """
        if not self._url.startswith("https://"):
            raise Refused(
                f"the url of channel {self._spec.name} must begin with https://: a key is sent there"
            )
        key = self._secret(self._spec.secrets["routing_key"])
        calls: list[EventsApiV2Client] = []
        try:
            async with asyncio.timeout(WITHIN):
                return await self._runtime.in_thread(lambda: self._deliver(key, message, calls))
        except TimeoutError:
            for client in calls:
                client.close()  # the thread's next read fails, so it ends
            raise Unknown(f"PagerDuty did not answer within {WITHIN:.0f} s") from None

    def _deliver(self, key: str, message: ChannelMessage, calls: list[EventsApiV2Client]) -> str:
        """In a thread. ``calls`` gets the client, so that it can be closed from outside."""
        from pagerduty import Error

        try:
            client: Any
            with _client_class()(key, base_url=self._url, verify=self._trust()) as client:
                client.key = key
                calls.append(client)
                response = client.post("/v2/enqueue", json=event_of(message))
            return _accepted(response.status_code, _without(key, response.content), message.dedup_key)
        except RemediatorError:
            raise
        except Error as error:
            raise _lost(error.__cause__ or error) from None
        except Exception as error:  # noqa: BLE001  # the library's boundary; its texts may quote the request
            raise Unknown(f"PagerDuty's client failed: {type(error).__name__}") from None


def event_of(message: ChannelMessage) -> dict[str, Any]:
    """The message as an event, without its routing key."""
    event: dict[str, Any] = {"event_action": message.kind.value, "dedup_key": message.dedup_key}
    if message.kind is PageKind.TRIGGER:
        event["payload"] = {
            "summary": message.summary[:1024] or "an incident without a summary",
            "source": message.source or "remediator",
            "severity": message.severity,
            "custom_details": {name: text[:LONGEST_TEXT] for name, text in message.details.items()},
        }
        event["links"] = [{"href": href, "text": text} for text, href in message.links.items()]
    return event


@cache
def _client_class() -> type[EventsApiV2Client]:
    """Made at first use: importing the library takes a quarter of a second, and not every start needs it."""
    from pagerduty import EventsApiV2Client

    class Client(EventsApiV2Client):
        """Answers instead of retrying: ``postprocess`` sees every answer before the retries do."""

        key = ""
        max_network_attempts = 0
        timeout = SILENT_FOR  # type: ignore[assignment]  # the library shadows httpx's property itself

        def postprocess(self, response: Any) -> None:
            """Raise for whatever is no success."""
            if not 200 <= response.status_code < 300:
                body = _without(self.key, response.content)
                raise _refusal(response.status_code, body, response.headers.get("Retry-After"))

    return Client


def _without(key: str, body: bytes) -> bytes:
    """What a server says, should it quote the key it was sent. Before anything is cut off."""
    return body.replace(key.encode(), b"(the routing key)") if key else body


def _accepted(status: int, body: bytes, dedup_key: str) -> str:
    said = _read(body)
    if said.get("dedup_key") != dedup_key:
        raise Unknown(f"what answered {status} is not PagerDuty; look at the URL and at proxies in between")
    return plain(f"{status} {said.get('message', 'accepted')}")


def _refusal(status: int, body: bytes, retry_after: str | None) -> RemediatorError:
    said = _read(body)
    errors = said.get("errors")
    reasons = ": " + ", ".join(map(str, errors[:5])) if isinstance(errors, list) and errors else ""
    text = plain(f"PagerDuty answered {status} {said.get('message', '')}".rstrip() + reasons, 300)
    if status == 429:
        return Retryable(text, delay=_delay(retry_after) or AGAIN_AFTER_429)
    if status >= 500 or status == 408:
        return Retryable(text, delay=_delay(retry_after))
    if status < 400:
        return Refused(f"{text}; it redirects, which PagerDuty never does: look at the URL")
    return Refused(text)


def _delay(retry_after: str | None) -> Millis | None:
    """Milliseconds of a Retry-After in seconds, at most an hour. None for anything else."""
    if retry_after is None or not (retry_after.isascii() and retry_after.isdigit()):
        return None
    return Millis(min(int(retry_after[:9]) * SECOND, HOUR)) or None


def _read(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body[:65536])
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _lost(error: BaseException) -> RemediatorError:
    """What a broken connection means. The names are those of httpx, on which the library stands."""
    name = type(error).__name__
    text = plain(f"{name}: {error}", 200)
    if name in SURELY_NOT_SENT:
        hint = "; set SSL_CERT_FILE to the authority to trust" if "certificate" in text.lower() else ""
        return Retryable(f"PagerDuty cannot be reached: {text}{hint}")
    return Unknown(f"PagerDuty's answer got lost: {text}")

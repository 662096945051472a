"""``core.plugins.Metrics`` on the HTTP API of Prometheus, or of what speaks like it.

An answer with warnings is no answer: they are how Thanos, Mimir and remote reads say that a part is missing
(VictoriaMetrics calls such an answer partial), and a part that is missing must not prove that all is well.

Source: https://prometheus.io/docs/prometheus/latest/querying/api/
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from remediator.adapters.bodies import read_beginning, retry_after
from remediator.adapters.peer import AGAIN_AFTER_429, KEPT_SECRETS, open_session, renew_token
from remediator.core.errors import Refused, RemediatorError, Retryable
from remediator.core.lag import AlertingRule
from remediator.core.text import plain
from remediator.core.times import Millis

Series = tuple[Mapping[str, str], tuple[tuple[float, float], ...]]
"""Labels, and samples as pairs of a time (seconds since the epoch) and a value."""
Samples = tuple[tuple[Mapping[str, str], float], ...]

WITHIN = 8.0
"""Seconds for one query, whatever the server does."""
GIVES_UP_AFTER = 7.0
"""Seconds after which the server is asked to give up by itself: a query nobody waits for still costs it."""
LARGEST_ANSWER = 1 << 20
LARGEST_RULES = 16 << 20
LARGEST_RANGE = 64 << 20
"""Bytes of an answer, of all alerting rules, and of an answer to a range query."""
MOST_SERIES = 1000
TROUBLE = "REMEDIATOR_PROMETHEUS_TOKEN is"
REMARK = "PromQL info:"
"""How remarks on a query's style begin, which some versions tell among the warnings."""


class TooLarge(Refused):
    """The answer is larger than we read."""


class Prometheus:
    """Asks one Prometheus. Make one with ``Prometheus.connected``."""

    def __init__(
        self, session: aiohttp.ClientSession, base: URL, secrets: Iterable[str], within: float
    ) -> None:
        self._session, self._base, self._within = session, base, within
        self._secrets = tuple(secret for secret in secrets if secret)

    @classmethod
    @asynccontextmanager
    async def connected(
        cls, url: str, *, token: str | None = None, within: float = WITHIN
    ) -> AsyncIterator[Prometheus]:
        """One for the length of a block. It connects when it is first asked. Raises SettingsError.

        ``within``: seconds for one query.
        """
        opening = open_session(
            url,
            setting="REMEDIATOR_PROMETHEUS_URL",
            token=token,
            url_first=False,
            trouble=TROUBLE,
            within=within,
        )
        async with opening as (session, base, secrets):
            yield cls(session, base, secrets, within)

    def renew(self, token: str) -> None:
        """From now on it is shown this token. Raises SettingsError."""
        renew_token(self._session, token, TROUBLE)
        self._secrets = (token, *self._secrets[:KEPT_SECRETS])

    async def query(self, promql: str) -> Samples:
        """``core.plugins.Metrics.query``. NaN and infinities are values."""
        form = {"query": promql, "timeout": f"{GIVES_UP_AFTER:.0f}s", "limit": str(MOST_SERIES + 1)}
        return _samples(await self._ask("POST", "api/v1/query", LARGEST_ANSWER, data=form))

    async def query_range(self, promql: str, start: float, end: float, step: float) -> tuple[Series, ...]:
        """The series of a range query: labels, and a sample every ``step`` where there is one.

        Times are seconds since the epoch, both ends included; Prometheus allows 11,000 samples a series.
        Raises TooLarge, and what ``query`` raises.
        """
        form = {
            "query": promql,
            "start": f"{start:.3f}",
            "end": f"{end:.3f}",
            "step": f"{step:.3f}",
            "timeout": f"{max(self._within - 1, 1):.0f}s",
        }
        data = await self._ask("POST", "api/v1/query_range", LARGEST_RANGE, data=form)
        result = data.get("result")
        if data.get("resultType") != "matrix" or not isinstance(result, list):
            raise _stranger()
        return tuple(_series(each) for each in result)

    async def alerting_rules(self, names: Collection[str] = ()) -> tuple[AlertingRule, ...]:
        """Every alerting rule that it knows, or those of these names and perhaps others.

        Before 2.46 Prometheus does not know how to narrow it. Raises Refused and Retryable.
        """
        which = [("type", "alert"), ("exclude_alerts", "true")]
        which += [("rule_name[]", name) for name in sorted(names)]
        groups = (await self._ask("GET", "api/v1/rules", LARGEST_RULES, params=which)).get("groups")
        if not isinstance(groups, list):
            raise _stranger()
        return tuple(_alerting_rule(rule, _every(group)) for group in groups for rule in _rules(group))

    async def _ask(self, method: str, path: str, largest: int, **sent: Any) -> dict[str, Any]:
        """The data of a success of at most ``largest`` bytes."""
        try:
            async with (
                asyncio.timeout(self._within),
                self._session.request(method, self._base / path, allow_redirects=False, **sent) as response,
            ):
                body = await read_beginning(response, largest + 1)
        except TimeoutError:
            raise Retryable(f"Prometheus did not answer within {self._within:g}s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Retryable(plain(f"Prometheus cannot be reached: {error or type(error).__name__}")) from None
        if response.status != 200:
            raise self._refusal(response, body)
        if len(body) > largest:
            raise TooLarge(f"the answer is larger than {largest} bytes; aggregate the series")
        return self._data(body)

    async def describe(self) -> str:
        """Where it is and whether it answers, for people."""
        try:
            await self.query("vector(1)")
        except RemediatorError as error:
            return f"{self._base}: {error}"
        return f"{self._base} answers"

    def _said(self, text: object) -> str:
        """What a server says, should it quote what it was sent. Before anything is cut off."""
        said = str(text)
        for secret in self._secrets:
            said = said.replace(secret, "(a secret)")
        return plain(said, 250)

    def _refusal(self, response: aiohttp.ClientResponse, body: bytes) -> RemediatorError:
        status, error = response.status, _read(body).get("error")
        words = f"Prometheus answered {status}" + ("" if error is None else f": {self._said(error)}")
        if status == 429:
            return Retryable(words, delay=retry_after(response) or AGAIN_AFTER_429)
        if status >= 500 or status == 408:
            return Retryable(words, delay=retry_after(response))
        if status in (400, 422) and error is not None:
            return Refused(f"Prometheus refuses the query: {self._said(error)}")
        if status in (401, 403):
            return Refused(f"{words}; look at REMEDIATOR_PROMETHEUS_TOKEN")
        return Refused(f"{words}; look at REMEDIATOR_PROMETHEUS_URL")

    def _data(self, body: bytes) -> dict[str, Any]:
        """The data of a success. Raises Refused when it is none, and Retryable when it warns."""
        said = _read(body)
        data, warnings = said.get("data"), said.get("warnings")
        if said.get("status") != "success" or not isinstance(data, dict):
            raise _stranger()
        for warning in warnings if isinstance(warnings, list) else ():
            if not str(warning).startswith(REMARK):
                words = self._said(warning)
                raise Retryable(f"Prometheus warns that its answer may not be whole: {words}")
        if said.get("isPartial"):  # how VictoriaMetrics says that a storage node is missing
            raise Retryable("Prometheus warns that its answer may not be whole: it calls it partial")
        return data


def _read(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _samples(data: Mapping[str, Any]) -> Samples:
    kind, result = data.get("resultType"), data.get("result")
    if not isinstance(result, list):
        raise _stranger()
    if kind == "scalar":
        return (({}, _value(result)),)
    if kind != "vector":
        raise Refused(
            plain(f"the query gives a {kind}, not a vector or a scalar; use avg_over_time or the like")
        )
    if len(result) > MOST_SERIES:
        raise Refused(f"the query gives more than {MOST_SERIES} series; aggregate them")
    return tuple(_sample(series) for series in result)


def _sample(series: object) -> tuple[Mapping[str, str], float]:
    if not isinstance(series, dict) or not isinstance(labels := series.get("metric"), dict):
        raise _stranger()
    if "histogram" in series:
        raise Refused(
            "the query gives native histograms; use histogram_quantile, histogram_count or the like"
        )
    return {str(name): str(value) for name, value in labels.items()}, _value(series.get("value"))


def _rules(group: object) -> list[Any]:
    rules = group.get("rules") if isinstance(group, dict) else None
    if not isinstance(rules, list):
        raise _stranger()
    return [rule for rule in rules if isinstance(rule, dict) and rule.get("type") == "alerting"]


def _every(group: Mapping[str, Any]) -> Millis:
    """How often a group is evaluated."""
    return _span(group.get("interval", 0))


def _alerting_rule(rule: Mapping[str, Any], every: Millis) -> AlertingRule:
    waits, keeps = _span(rule.get("duration", 0)), _span(rule.get("keepFiringFor", 0))
    return AlertingRule(name=str(rule.get("name")), waits=waits, keeps=keeps, every=every)


def _span(seconds: object) -> Millis:
    if not isinstance(seconds, int | float) or not 0 <= seconds < 1e9:
        raise _stranger()
    return Millis(round(seconds * 1000))


def _series(series: object) -> Series:
    if not isinstance(series, dict) or not isinstance(labels := series.get("metric"), dict):
        raise _stranger()
    values = series.get("values")
    if not isinstance(values, list):
        raise _stranger()
    samples = tuple((_moment(pair), _value(pair)) for pair in values)
    return {str(name): str(value) for name, value in labels.items()}, samples


def _moment(pair: object) -> float:
    match pair:
        case [int() | float() as moment, _]:
            return float(moment)
        case _:
            raise _stranger()


def _value(pair: object) -> float:
    match pair:
        case [_, str(text)]:
            try:
                return float(text)
            except ValueError:
                raise _stranger() from None
        case _:
            raise _stranger()


def _stranger() -> Refused:
    return Refused(
        "what answers is not Prometheus; look at REMEDIATOR_PROMETHEUS_URL and at proxies in between"
    )

"""What the checks and diagnoses ``promql`` and ``http`` make of answers."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pytest

from remediator.checks.http import HttpCheck, HttpParams
from remediator.checks.promql import PromqlCheck, PromqlParams
from remediator.core.plugins import HttpAnswer, Sight
from remediator.core.policies import Service
from remediator.core.probing import ProbeParams
from remediator.core.samples import QueryParams
from remediator.diagnoses.http import HttpAnswers
from remediator.diagnoses.promql import PromqlSamples

NAN = math.nan


@dataclass
class Told:
    """A Prometheus and a service that answer what they are told to."""

    samples: tuple[tuple[Mapping[str, str], float], ...] = ()
    answer: HttpAnswer = field(default_factory=lambda: HttpAnswer(status=200, text="all is ok"))
    asked: list[tuple[str, frozenset[str]]] = field(default_factory=list)

    async def query(self, promql: str) -> tuple[tuple[Mapping[str, str], float], ...]:
        return self.samples

    async def get(self, url: str, *, hosts: Collection[str], within: float) -> HttpAnswer:
        self.asked.append((url, frozenset(hosts)))
        return self.answer


def sight(told: Told | None, health: str | None = "http://web.shop:8080/health?full=1") -> Sight:
    return Sight(
        cluster=None,
        target=None,
        firing=1,
        service=Service(name="web", health=health),
        metrics=told,
        http=told,
        hosts=frozenset(("web.shop:8080",)),
    )


def series(*values: float) -> Told:
    return Told(samples=tuple(({"__name__": "e", "pod": str(n)}, value) for n, value in enumerate(values)))


@pytest.mark.parametrize(
    ("bound", "values", "holds"),
    [
        ({"below": 1}, (0.5,), True),
        ({"below": 1}, (1.0,), False),
        ({"below": 1}, (0.5, 2.0), False),
        ({"below": 1}, (-math.inf,), True),
        ({"below": 1}, (math.inf,), False),
        ({"above": 0}, (0.5, 1.0), True),
        ({"above": 0}, (0.0,), False),
        ({"above": 0}, (math.inf,), True),
        ({"equals": 3}, (3.0, 3.0), True),
        ({"equals": 0}, (0.0,), True),
        ({"equals": 3}, (3.0, 4.0), False),
        ({"below": 1}, (NAN,), None),
        ({"above": 1}, (NAN,), None),
        ({"equals": 1}, (NAN,), None),
        ({"below": 1}, (0.5, NAN), None),
        ({"below": 1}, (NAN, 2.0), False),
        ({"below": 1}, (), None),
        ({"below": 1, "absent": "holds"}, (), True),
        ({"below": 1, "absent": "fails"}, (), False),
        ({"below": 1, "absent": "holds"}, (NAN,), None),
        ({"below": 1, "absent": "holds"}, (2.0,), False),
    ],
)
async def test_every_series_must_keep_the_bound(
    bound: dict[str, object], values: tuple[float, ...], holds: bool | None
) -> None:
    params = PromqlParams.model_validate({"query": "q", **bound})
    result = await PromqlCheck().ask(params, sight(series(*values)))
    assert result.holds is holds


HOSTILE = Told(samples=(({"x": '"}\x1b[2J\n'}, -math.inf),))


@pytest.mark.parametrize(
    ("bound", "told", "said"),
    [
        ({"below": 0.01}, series(0.25), '0.25, wanted below 0.01: e{pod="0"}'),
        ({"below": 1}, series(0, 5, 7), '5, wanted below 1: e{pod="1"}; so 2 of 3 series'),
        ({"above": 1}, series(2, NAN), 'NaN, wanted above 1: e{pod="1"}; so 1 of 2 series'),
        ({"equals": 1}, series(), "no series, wanted equals 1"),
        ({"equals": 1}, Told(samples=(({}, 1.0),)), "1, wanted equals 1"),
        (
            {"above": 1},
            Told(samples=(({"x": '"}\x1b[2J\n'}, -math.inf),)),
            '-Inf, wanted above 1: {x="\\"}\\u001b[2J\\n"}',
        ),
    ],
)
async def test_the_value_and_the_bound_are_told(bound: dict[str, object], told: Told, said: str) -> None:
    params = PromqlParams.model_validate({"query": "q", **bound})
    assert (await PromqlCheck().ask(params, sight(told))).observed == said


async def test_without_a_prometheus_nothing_is_known() -> None:
    params = PromqlParams(query="q", below=1)
    result = await PromqlCheck().ask(params, sight(None))
    assert (result.holds, "REMEDIATOR_PROMETHEUS_URL" in result.observed) == (None, True)
    (line,) = await PromqlSamples().look(QueryParams(query="q"), sight(None))
    assert "REMEDIATOR_PROMETHEUS_URL" in line


async def test_samples_are_listed_up_to_a_number() -> None:
    look = PromqlSamples().look
    assert await look(QueryParams(query="q"), sight(series(1, NAN))) == ('e{pod="0"}: 1', 'e{pod="1"}: NaN')
    many = await look(QueryParams(query="q"), sight(series(*range(30))))
    assert (len(many), many[-1]) == (11, "and 20 more series")
    assert await look(QueryParams(query="q"), sight(series())) == ("promql: the query gives no series",)


@pytest.mark.parametrize(
    ("params", "status", "holds"),
    [
        ({}, 200, True),
        ({}, 204, False),
        ({}, 302, False),
        ({}, 500, False),
        ({"expect": 204}, 204, True),
        ({"expect": "2xx"}, 204, True),
        ({"expect": "2xx"}, 304, False),
        ({"expect": [200, "4xx"]}, 404, True),
        ({"expect": [200, 201]}, 202, False),
        ({"expect": 302}, 302, True),
        ({"contains": "is ok"}, 200, True),
        ({"contains": "is down"}, 200, False),
        ({"contains": "is ok"}, 500, False),
    ],
)
async def test_an_answer_must_be_as_expected(params: dict[str, object], status: int, holds: bool) -> None:
    told = Told(answer=HttpAnswer(status=status, text="all is ok"))
    result = await HttpCheck().ask(HttpParams.model_validate(params), sight(told))
    assert result.holds is holds


@pytest.mark.parametrize(
    ("params", "asked"),
    [
        ({}, "http://web.shop:8080/health?full=1"),
        ({"path": "/ready?x=1"}, "http://web.shop:8080/ready?x=1"),
        ({"path": "//evil.example/"}, "http://web.shop:8080//evil.example/"),
        ({"path": "/@evil.example"}, "http://web.shop:8080/@evil.example"),
        ({"url": "http://other.shop/x"}, "http://other.shop/x"),
    ],
)
async def test_what_is_asked_is_the_services_own_url_unless_it_says_otherwise(
    params: dict[str, object], asked: str
) -> None:
    told = Told()
    await HttpCheck().ask(HttpParams.model_validate(params), sight(told))
    await HttpAnswers().look(ProbeParams.model_validate(params), sight(told))
    assert told.asked == [(asked, frozenset(("web.shop:8080",)))] * 2


async def test_the_answer_and_what_was_wanted_are_told() -> None:
    params = HttpParams.model_validate({"expect": ["2xx", 404], "contains": "up"})
    result = await HttpCheck().ask(params, sight(Told(answer=HttpAnswer(status=503, text="down"))))
    said = "http://web.shop:8080/health?full=1 answered 503, wanted 2xx or 404; without 'up'"
    assert (result.holds, result.observed) == (False, said)
    (line,) = await HttpAnswers().look(ProbeParams(), sight(Told()))
    assert line == "http://web.shop:8080/health?full=1 answered 200: all is ok"


async def test_no_secret_of_a_health_answer_is_told() -> None:
    """Health endpoints like to repeat what they could not connect to."""
    body = "down: postgres://app:hunter22@db:5432/app refused, token=abcdef123456"
    (line,) = await HttpAnswers().look(ProbeParams(), sight(Told(answer=HttpAnswer(status=503, text=body))))
    assert line.endswith("answered 503: down: postgres://[redacted]@db:5432/app refused, token=[redacted]")


async def test_without_a_health_url_there_is_nothing_to_ask() -> None:
    told = Told()
    result = await HttpCheck().ask(HttpParams(), sight(told, health=None))
    assert (result.holds, result.observed) == (None, "the service has no health URL in the catalog")
    result = await HttpCheck().ask(HttpParams(path="/x"), sight(told, health=None))
    assert result.holds is None
    (line,) = await HttpAnswers().look(ProbeParams(), sight(told, health=None))
    assert "no health URL" in line
    assert told.asked == []

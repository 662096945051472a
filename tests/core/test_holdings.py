"""What ``pvcs``, ``top`` and ``traces`` tell people, and what the check ``logs`` makes of logs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

import pytest

from remediator.checks.logs import PODS, TAIL, LogsCheck
from remediator.core.cluster import ClusterReader
from remediator.core.errors import NotFound, Refused, RemediatorError, Retryable
from remediator.core.holdings import Claim, ContainerUsage, PodUsage
from remediator.core.journal import CheckResult
from remediator.core.plugins import Sight
from remediator.core.policies import Service
from remediator.core.quantities import amount, measured, say_bytes, say_cores
from remediator.core.times import HOUR, MINUTE, Instant
from remediator.diagnoses import DIAGNOSES
from tests.core.looking import CRASHING, NOW, READY, WEB, Cluster

Written = Mapping[str, Sequence[str] | RemediatorError]
Samples = tuple[tuple[Mapping[str, str], float], ...]


@dataclass
class Prometheus:
    """Answers by the metric that is asked for."""

    used: Samples = ()
    there: Samples = ()
    trouble: Exception | None = None
    asked: list[str] = field(default_factory=list)

    async def query(self, promql: str) -> Samples:
        self.asked.append(promql)
        if self.trouble is not None:
            raise self.trouble
        return self.used if "used_bytes" in promql else self.there


async def look(name: str, sight: Sight, **params: object) -> list[str]:
    """What a diagnosis finds, within the bound of every diagnosis."""
    plugin = DIAGNOSES[name]
    found = await plugin.look(plugin.params.model_validate(params), sight)
    assert len(found) <= 20
    assert all(len(line) <= 300 and line.isprintable() for line in found)
    return list(found)


def sight(cluster: ClusterReader, metrics: Prometheus | None = None) -> Sight:
    """The workload in that cluster."""
    return Sight(cluster=cluster, target=WEB, firing=1, at=NOW, metrics=metrics)


# --- pvcs ---------------------------------------------------------------------------------------------


def claim(name: str, phase: str = "Bound", **more: object) -> Claim:
    """A claim on ten gibibytes."""
    own = Claim(name=name, phase=phase, capacity="10Gi" if phase == "Bound" else "", wanted="10Gi")
    return replace(own, **more)  # type: ignore[arg-type]  # by the dataclass


def of(*values: tuple[str, float]) -> Samples:
    """One sample for each claim."""
    return tuple(({"persistentvolumeclaim": name}, value) for name, value in values)


async def test_claims_tell_what_is_wrong_first_then_what_is_fullest() -> None:
    """With who uses them, and how full they are where Prometheus knows it."""
    cluster = Cluster(
        found=(replace(READY, claims=("data-0",)), replace(CRASHING, claims=("data-1", "gone"))),
        claimed=(
            claim("data-0", storage_class="fast"),
            claim("data-1"),
            claim("data-2", "Pending", storage_class="slow"),
            Claim(name="gone", phase="Missing"),
        ),
    )
    metrics = Prometheus(used=of(("data-0", 2**30), ("data-1", 9 * 2**30)), there=of(
        ("data-0", 10 * 2**30), ("data-1", 10 * 2**30)
    ))  # fmt: skip
    assert await look("pvcs", sight(cluster, metrics)) == [
        "data-2: Pending, 10Gi wanted, class slow, used by no pod",
        "gone: there is no claim of that name, used by web-b",
        "data-1: Bound, 10Gi, no storage class, used by web-b, 90% full (9Gi of 10Gi)",
        "data-0: Bound, 10Gi, class fast, used by web-a, 10% full (1Gi of 10Gi)",
    ]
    assert metrics.asked[0] == (
        "max by (persistentvolumeclaim) (kubelet_volume_stats_used_bytes"
        '{namespace="shop",persistentvolumeclaim=~"data-0|data-1"})'
    )


@pytest.mark.parametrize(
    ("metrics", "why"),
    [
        (None, "no Prometheus is configured; set REMEDIATOR_PROMETHEUS_URL"),
        (Prometheus(), "Prometheus has no kubelet_volume_stats_* of them"),
        (Prometheus(trouble=Retryable("Prometheus is away")), "Prometheus is away"),
        (
            Prometheus(used=of(("data-0", 5.0)), there=of(("data-0", 0.0))),
            "Prometheus has no kubelet_volume_stats_* of them",
        ),
    ],
)
async def test_how_full_a_claim_is_is_known_or_not(metrics: Prometheus | None, why: str) -> None:
    """Never guessed, and the rest is told all the same."""
    found = await look("pvcs", sight(Cluster(claimed=(claim("data-0"),)), metrics))
    assert found == [
        "data-0: Bound, 10Gi, no storage class, used by no pod",
        f"how full they are is not known: {why}",
    ]


async def test_no_claims_are_told_and_many_are_bounded() -> None:
    assert await look("pvcs", sight(Cluster())) == ["deployment/web claims no volumes"]
    many = tuple(claim(f"data-{n:03}", "Pending") for n in range(60))
    found = await look("pvcs", sight(Cluster(claimed=many)))
    assert found[-1] == "and 43 more"


async def test_a_name_with_dots_is_no_pattern() -> None:
    """A dot in the name of a claim stands for itself."""
    metrics = Prometheus()
    await look("pvcs", sight(Cluster(claimed=(claim("data.v1"),)), metrics))
    assert 'persistentvolumeclaim=~"data[.]v1"' in metrics.asked[0]


# --- top ----------------------------------------------------------------------------------------------


def used(pod: str, memory: str, cpu: str = "100m", **others: str) -> PodUsage:
    """What a pod's container ``web`` uses, and the memory of others of its containers."""
    containers = {"web": (memory, cpu), **{name: (size, "0") for name, size in others.items()}}
    return PodUsage(
        pod=pod,
        at=NOW,
        containers=tuple(
            ContainerUsage(name=name, cpu=amount(cores), memory=amount(size))
            for name, (size, cores) in containers.items()
        ),
    )


LIMITED = {"web": {"limits": {"memory": "512Mi"}, "requests": {"memory": "256Mi", "cpu": "400m"}}}


async def test_top_tells_the_hungriest_first_with_shares() -> None:
    """Of the limit, and of the request where nothing limits; who was not measured is told."""
    pods = (READY, replace(CRASHING, resources=LIMITED), replace(READY, name="web-c"))
    measured = (used("web-a", "200Mi"), used("web-b", "461Mi"), used("stranger", "9Gi"))
    cluster = Cluster(found=pods, measured=measured)
    assert await look("top", sight(cluster)) == [
        "top: 2 pods use 661Mi of memory and 200m of cpu",
        "web-b: memory 461Mi (90% of its limit), cpu 100m (25% of its request)",
        "web-a: memory 200Mi, cpu 100m",
        "not measured: web-c",
    ]


async def test_top_can_order_by_cpu_and_tell_containers() -> None:
    pods = (replace(READY, resources=LIMITED), CRASHING)
    measured = (used("web-a", "128Mi", "1500m", proxy="16Mi"), used("web-b", "1Gi", "20m"))
    cluster = Cluster(found=pods, measured=measured)
    assert (await look("top", sight(cluster), by="cpu"))[1:] == [
        "web-a: memory 144Mi, cpu 1.5",  # the proxy has no limit, so the pod has none
        "web-b: memory 1Gi, cpu 20m",
    ]
    assert (await look("top", sight(cluster), containers=True))[1:] == [
        "web-b/web: memory 1Gi, cpu 20m",
        "web-a/web: memory 128Mi (25% of its limit), cpu 1.5 (375% of its request)",
        "web-a/proxy: memory 16Mi, cpu 0m",
    ]


async def test_without_a_metrics_api_top_says_so() -> None:
    """A plain line, no error: many clusters have none."""
    assert await look("top", sight(Cluster())) == [
        "top: no metrics API here (metrics.k8s.io): install metrics-server"
    ]
    many = tuple(replace(READY, name=f"web-{n:03}") for n in range(90))
    cluster = Cluster(found=many, measured=tuple(used(pod.name, "1Mi") for pod in many[:80]))
    found = await look("top", sight(cluster))
    assert found[-2:] == ["and 63 more", "not measured: web-080, web-081, web-082 and 7 more"]


@pytest.mark.parametrize(
    ("text", "size"),
    [("1Ki", "1024"), ("250m", "0.25"), ("156340n", "0.00015634"), ("7u", "0.000007"), ("2", "2")],
)
def test_what_is_measured_may_be_very_small(text: str, size: str) -> None:
    assert measured(text) == Decimal(size)


@pytest.mark.parametrize("text", ["", "n", "-1n", "1x", "1e99n "])
def test_what_is_no_quantity_was_not_measured(text: str) -> None:
    with pytest.raises(ValueError, match="is no quantity"):
        measured(text)


def test_sizes_are_told_briefly() -> None:
    sizes = (0, 1023, 1024, 1536, 10 * 2**20, 2**30 - 1, 3 * 2**29, 2**50)
    told = [say_bytes(Decimal(size)) for size in sizes]
    assert told == ["0", "1023", "1Ki", "1.5Ki", "10Mi", "1024Mi", "1.5Gi", "1Pi"]
    assert [say_cores(Decimal(c)) for c in ("0.25", "1", "1.5", "12.4")] == ["250m", "1", "1.5", "12"]


# --- traces -------------------------------------------------------------------------------------------

OPENED = Instant(1_789_999_000_000)


async def traces(link: str | None, **params: object) -> str:
    """Where traces are said to be."""
    links = {} if link is None else {"traces": link}
    service = Service(name="web", links=links)
    seen = Sight(cluster=None, target=None, firing=1, service=service, at=NOW, opened_at=OPENED)
    [line] = await look("traces", seen, **params)
    return line


async def test_traces_link_to_the_time_around_the_incident() -> None:
    """As Jaeger wants it: microseconds, a quarter of an hour before, until now."""
    begin, end = OPENED - 15 * MINUTE, NOW
    assert await traces("https://jaeger/search?service=web") == (
        f"traces: https://jaeger/search?service=web&start={begin}000&end={end}000"
    )
    asked = await traces("https://t/x?from=1&a=b", start="from", end="to", unit="ms", before="1h")
    assert asked == f"traces: https://t/x?a=b&from={OPENED - HOUR}&to={end}"


@pytest.mark.parametrize(
    ("link", "told"),
    [
        (None, "service web has no link named traces in the catalog"),
        ("javascript:alert(1)", "the link in the catalog is no web address of one line"),
        ("https://a/\nb", "the link in the catalog is no web address of one line"),
        ("https://[", "the link in the catalog is no web address"),
        (f"https://a/{'x' * 240}", f"https://a/{'x' * 240} from "),
        (f"https://a/{'x' * 241}", "the link in the catalog has more than 250 characters"),
    ],
)
async def test_a_link_is_whole_or_said_to_be_none(link: str | None, told: str) -> None:
    assert (await traces(link)).startswith(f"traces: {told}")


async def test_a_service_outside_the_catalog_has_no_traces() -> None:
    seen = Sight(cluster=None, target=None, firing=1)
    assert await look("traces", seen) == ["traces: the service is not in the catalog, so no link is known"]


# --- the check logs -----------------------------------------------------------------------------------


async def ask(cluster: Cluster, **params: object) -> CheckResult:
    """What the check answers."""
    plugin = LogsCheck()
    return await plugin.ask(plugin.params.model_validate({"match": "error", **params}), sight(cluster))


async def test_few_enough_lines_hold_and_too_many_do_not() -> None:
    """All pods are counted, and of one that restarted the run before; the newest line is an example."""
    cluster = Cluster(
        written={
            "web-a/web": ["ok", "error one"],
            "web-b/web": ["error password=hunter2\x1b[31m"],
            "web-b/web/previous": ["error three"],
        }
    )
    observed = "3 lines of 2 pods match in the last 2m, at most {} wanted; such as: web-b: error "
    held = await ask(cluster, at_most=3, since="2m")
    assert held.holds is True
    assert held.observed == observed.format(3) + "password=[redacted]"
    failed = await ask(cluster, at_most=2, since="2m")
    assert failed.holds is False
    assert sorted(cluster.asked[:3]) == [
        f"web-a/web:{TAIL}:120000",
        f"web-b/web/previous:{TAIL}:120000",
        f"web-b/web:{TAIL}:120000",
    ]


async def test_a_log_that_cannot_be_read_proves_nothing() -> None:
    """Unknown, unless enough was found elsewhere; that there was no run before is no trouble."""
    written: Written = {"web-a/web": ["error"], "web-b/web": Refused("may not")}
    unknown = await ask(Cluster(written=written), at_most=1)
    assert unknown.holds is None
    assert unknown.observed.endswith("; but may not")
    assert (await ask(Cluster(written=written), at_most=0)).holds is False
    fine: Written = {
        "web-a/web": ["ok"],
        "web-b/web": ["ok"],
        "web-b/web/previous": NotFound("no run before"),
    }
    assert (await ask(Cluster(written=fine))).holds is True
    waiting: Written = {"web-a/web": ["ok"], "web-b/web": NotFound("is waiting to start")}
    assert (await ask(Cluster(written=waiting))).holds is None


async def test_more_than_is_read_proves_nothing() -> None:
    """Neither of one log that is too long, nor of too many pods; no pods are no proof either."""
    cluster = Cluster(found=(READY,), written={"web-a/web": ["ok"] * TAIL})
    assert (await ask(cluster)).holds is None
    many = tuple(replace(READY, name=f"web-{n}") for n in range(PODS + 1))
    written = {f"{pod.name}/web": ["ok"] for pod in many}
    found = await ask(Cluster(found=many, written=written))
    assert found.holds is None
    assert f"it has {PODS + 1} pods, and the logs of {PODS} are read" in found.observed
    assert (await ask(Cluster(found=()))).holds is None


async def test_a_container_can_be_named() -> None:
    cluster = Cluster(found=(READY,), written={"web-a/proxy": ["fine"]})
    assert (await ask(cluster, container="proxy")).holds is True
    assert cluster.asked == [f"web-a/proxy:{TAIL}:300000"]

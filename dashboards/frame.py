"""What is around the panels: variables, links from one dashboard to the others, incidents as annotations."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.builders import dashboard as building
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import dashboard

from dashboards.panels import SOURCE, Panel
from dashboards.queries import grew, of, told

TAG = "remediator"
DOCS = "docs"
"""Where the pages are that panels link to: put your own address before it, or choose it on the dashboard."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """Panels under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Board:
    """A dashboard. ``since``, ``every``: the range that it opens with, and how often it is refreshed."""

    uid: str
    title: str
    text: str
    since: str
    every: str
    rows: tuple[Row, ...]
    filters: tuple[str, ...]
    """Of ``FILTERS``: what its panels can be narrowed to."""


FILTERS = {
    "severity": "remediator_incidents_total",
    "service": "remediator_incidents_resolved_total",
    "runbook": "remediator_attempts_total",
    "rule": "remediator_rule_info",
}
"""A label, and the metric whose series say which values there are."""


class Events(dashboard.AnnotationQuery):
    """Marks from a Prometheus query; the SDK does not know what that data source reads beside ``expr``."""

    def __init__(self, name: str, color: str, query: str, title: str) -> None:
        super().__init__(name=name, datasource=SOURCE, icon_color=color, expr=query)
        self._title = title

    def to_json(self) -> dict[str, object]:
        """With how a mark is told, and the shortest way between two of them."""
        return {**super().to_json(), "step": "1m", "titleFormat": self._title}


class _Built(Builder[dashboard.AnnotationQuery]):
    def __init__(self, events: Events) -> None:
        self._events = events

    def build(self) -> dashboard.AnnotationQuery:
        return self._events


def build(board: Board, docs: str = DOCS) -> dashboard.Dashboard:
    """As Grafana reads it. ``docs``: the address of the pages."""
    made = building.Dashboard(board.title).uid(board.uid).description(board.text).tags([TAG])
    made.time(board.since, "now").refresh(board.every).timezone("browser").editable()
    made.tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    made.variables([*_deployments(), *(_filter(name) for name in board.filters), _docs(docs)])
    made.annotations([_Built(events) for events in _events()])
    made.link(_others())
    number = 0
    for row in board.rows:
        number += 1
        made.with_row(building.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            made.with_panel(copy.deepcopy(panel).id(number))
    return made.build()


def _deployments() -> Sequence[Builder[dashboard.VariableModel]]:
    source = building.DatasourceVariable("datasource").label("Prometheus").type("prometheus")
    namespace = _variable("namespace", "label_values(remediator_build_info, namespace)")
    scoped = 'remediator_build_info{namespace=~"$namespace"}'
    return [source, namespace, _variable("job", f"label_values({scoped}, job)")]


def _filter(name: str) -> Builder[dashboard.VariableModel]:
    metric = of(FILTERS[name].removeprefix("remediator_"))
    return _variable(name, f"label_values({metric}, {name})")


def _variable(name: str, query: str) -> building.QueryVariable:
    """``All`` is everything, also what has no such label."""
    variable = building.QueryVariable(name).label(name).datasource(SOURCE).query(query)
    variable.multi(multi=True).include_all(include_all=True).all_value(".*")
    everything = dashboard.VariableOption(selected=True, text=["All"], value=["$__all"])
    variable.current(everything).sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    return variable.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)


def _docs(docs: str) -> Builder[dashboard.VariableModel]:
    told = "Where docs/ of remediator is to be read, for the links of panels"
    chosen = dashboard.VariableOption(selected=True, text=docs, value=docs)
    variable = building.TextBoxVariable("docs").label("documentation").description(told)
    return variable.default_value(docs).current(chosen)


def _events() -> list[Events]:
    """What happened, on every graph."""
    opened = grew("severity", "incidents_total")
    attempts = grew("runbook, service, outcome", "attempts_total", 'outcome=~"verified|failed|unknown"')
    loaded = grew("", "policy_reloads_total", 'outcome="loaded"')
    return [
        Events("incidents", "red", f"{opened} > 0", "{{severity}} incident opened"),
        Events("attempts", "green", f"{attempts} > 0", "{{runbook}} for {{service}}: {{outcome}}"),
        Events("policies", "blue", f"{loaded} > 0", "policies loaded"),
        Events("pauses", "yellow", f"{told('', 'paused')} > 0", "all changes are paused"),
    ]


def _others() -> Builder[dashboard.DashboardLink]:
    link = building.DashboardLink("remediator").type(dashboard.DashboardLinkType.DASHBOARDS)
    return (
        link.tags([TAG])
        .as_dropdown(as_dropdown=False)
        .keep_time(keep_time=True)
        .include_vars(include_vars=True)
    )

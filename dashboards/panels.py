"""The kinds of panels, as Grafana has them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias, TypeVar

from grafana_foundation_sdk.builders import bargauge, common, prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders import dashboard as building
from grafana_foundation_sdk.models import common as styles
from grafana_foundation_sdk.models import dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from dashboards.looks import COLORS, HOURLY, NONE_IS_GOOD, PLAIN, RANKED, About, Columns, Look, Matrix
from dashboards.queries import Ask

LETTERS = "ABCDEFGH"
SOURCE = dashboard.DataSourceRef(type_val="prometheus", uid="${datasource}")
Panel: TypeAlias = stat.Panel | timeseries.Panel | bargauge.Panel | table.Panel
P = TypeVar("P", stat.Panel, timeseries.Panel, bargauge.Panel, table.Panel)


def number(about: About, *asks: Ask, look: Look = NONE_IS_GOOD) -> Panel:
    """What it is now, or came to over the whole range."""
    panel = stat.Panel().color_mode(styles.BigValueColorMode.VALUE).graph_mode(styles.BigValueGraphMode.NONE)
    panel.reduce_options(_last())
    if len(asks) > 1 or any("{{" in ask.legend for ask in asks):
        panel.text_mode(styles.BigValueTextMode.VALUE_AND_NAME)
    return _dress(panel, about, look, [_instant(ask) for ask in asks])


def ranking(about: About, ask: Ask, look: Look = RANKED) -> Panel:
    """The highest first, as the query sorts them."""
    panel = bargauge.Panel().orientation(styles.VizOrientation.HORIZONTAL).show_unfilled(show_unfilled=False)
    panel.display_mode(styles.BarGaugeDisplayMode.BASIC).reduce_options(_last())
    return _dress(panel, about, look, [_instant(ask)])


def lines(about: About, *asks: Ask, look: Look = PLAIN) -> Panel:
    """How it went. Bounds are dashed."""
    panel = timeseries.Panel().line_width(2).fill_opacity(5).show_points(styles.VisibilityMode.AUTO)
    _color(panel, asks)
    for letter, ask in zip(LETTERS, asks, strict=False):
        if ask.bound:
            dashed = _value("custom.lineStyle", {"fill": "dash", "dash": [8, 8]})
            panel.override_by_query(letter, [dashed, _value("custom.fillOpacity", 0)])
    if look.levels:
        style = common.GraphThresholdsStyleConfig().mode(styles.GraphThresholdsStyleMode.DASHED)
        panel.thresholds_style(style)
    return _graph(panel, about, look, asks)


def bars(about: About, *asks: Ask, look: Look = HOURLY) -> Panel:
    """How much happened, piled up."""
    panel = timeseries.Panel().draw_style(styles.GraphDrawStyle.BARS).fill_opacity(70).line_width(0)
    panel.stacking(common.StackingConfig().mode(styles.StackingMode.NORMAL).group("A"))
    _color(panel, asks)
    return _graph(panel, about, look, asks)


def grid(about: About, shape: Matrix | Columns, *asks: Ask, look: Look = PLAIN) -> Panel:
    """A table."""
    panel = table.Panel().cell_height(styles.TableCellHeight.SM).show_header(show_header=True)
    _transform(panel, "merge", {})
    match shape:
        case Matrix():
            _matrix(panel, shape)
        case Columns():
            _columns(panel, shape)
    queries = [_instant(ask).format(PromQueryFormat.TABLE) for ask in asks]
    return _dress(panel, about, look, queries)


def _matrix(panel: table.Panel, shape: Matrix) -> None:
    fields = {"columnField": shape.columns, "rowField": shape.rows, "valueField": "Value"}
    _transform(panel, "groupingToMatrix", fields)
    _transform(panel, "organize", {"renameByName": {f"{shape.rows}\\{shape.columns}": shape.rows}})
    colored = _value("custom.cellOptions", {"type": "color-text"})
    for name, color in COLORS.get(shape.columns, {}).items():
        panel.override_by_name(name, [_fixed(color), colored])


def _columns(panel: table.Panel, shape: Columns) -> None:
    hidden = dict.fromkeys(("Time", "__name__", *shape.hidden), True)
    _transform(panel, "organize", {"excludeByName": hidden, "renameByName": dict(shape.named)})
    heading, url = shape.link
    if heading:
        link = {"title": "What to do", "url": url, "targetBlank": True}
        panel.override_by_name(heading, [_value("links", [link])])


def _transform(panel: table.Panel, name: str, options: object) -> None:
    panel.with_transformation(dashboard.DataTransformerConfig(id_val=name, options=options))


def _graph(panel: timeseries.Panel, about: About, look: Look, asks: Sequence[Ask]) -> Panel:
    legend = common.VizLegendOptions().display_mode(styles.LegendDisplayMode.LIST)
    panel.legend(legend.placement(styles.LegendPlacement.BOTTOM).show_legend(show_legend=True))
    tooltip = common.VizTooltipOptions().mode(styles.TooltipDisplayMode.MULTI)
    panel.tooltip(tooltip.sort(styles.SortOrder.DESCENDING))
    if look.at_least:
        panel.interval(look.at_least)
    return _dress(panel, about, look, [_over_time(ask) for ask in asks])


def _color(panel: timeseries.Panel, asks: Sequence[Ask]) -> None:
    """Where a legend is the value of one label."""
    found = [re.fullmatch(r"\{\{(\w+)\}\}", ask.legend) for ask in asks]
    for label in sorted({match.group(1) for match in found if match is not None}):
        for value, color in COLORS.get(label, {}).items():
            panel.override_by_name(value, [_fixed(color)])


def _dress(panel: P, about: About, look: Look, queries: Sequence[prometheus.Dataquery]) -> P:
    """What all kinds have in common."""
    panel.title(about.title).description(about.text).datasource(SOURCE)
    panel.unit(look.unit).span(look.span).height(look.height).min(0)
    for letter, query in zip(LETTERS, queries, strict=False):
        panel.with_target(query.ref_id(letter).datasource(SOURCE))
    steps = [dashboard.Threshold(value=None, color=look.first)]
    steps += [dashboard.Threshold(value=value, color=color) for value, color in look.levels]
    levels = building.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps)
    panel.thresholds(levels)
    if look.decimals is not None:
        panel.decimals(look.decimals)
    if look.highest is not None:
        panel.max(look.highest)
    if look.empty:
        panel.no_value(look.empty)
    if about.pages:
        panel.links([_page(page) for page in about.pages])
    return panel


def _page(page: str) -> building.DashboardLink:
    name = page.rsplit("/", 1)[-1].removesuffix(".md")
    link = building.DashboardLink(f"What to do: {name}").type(dashboard.DashboardLinkType.LINK)
    return link.url(f"${{docs}}/{page}").target_blank(target_blank=True)


def _instant(ask: Ask) -> prometheus.Dataquery:
    return prometheus.Dataquery().instant().expr(ask.query).legend_format(ask.legend or "__auto")


def _over_time(ask: Ask) -> prometheus.Dataquery:
    return prometheus.Dataquery().range().expr(ask.query).legend_format(ask.legend or "__auto")


def _last() -> common.ReduceDataOptions:
    return common.ReduceDataOptions().calcs(["lastNotNull"])


def _value(name: str, value: object) -> dashboard.DynamicConfigValue:
    return dashboard.DynamicConfigValue(id_val=name, value=value)


def _fixed(color: str) -> dashboard.DynamicConfigValue:
    return _value("color", {"mode": "fixed", "fixedColor": color})

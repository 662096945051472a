"""The shape of policy files: one model per object, in the words of the files.

People, work, bounds and the catalog each have a module of their own; this one names what they hold.
"""

from __future__ import annotations

from remediator.policy.intervals import TimeIntervalModel
from remediator.policy.plugins import ChannelModel
from remediator.policy.schema_bounds import GuardsModel
from remediator.policy.schema_people import (
    DrillsModel,
    EscalationModel,
    HeartbeatModel,
    OperatorModel,
    SeverityModel,
    TemplateModel,
)
from remediator.policy.schema_services import ServiceModel
from remediator.policy.schema_work import RuleModel, RunbookModel

__all__ = [
    "ChannelModel",
    "DrillsModel",
    "EscalationModel",
    "GuardsModel",
    "HeartbeatModel",
    "OperatorModel",
    "RuleModel",
    "RunbookModel",
    "ServiceModel",
    "SeverityModel",
    "TemplateModel",
    "TimeIntervalModel",
]

"""The labels that several metrics share, and what bounds their values."""

from __future__ import annotations

from remediator.core.policies import SEVERITIES
from remediator.telemetry.table.row import Label

OTHER = "other"
"""The service of what no catalog names, and whatever else is not of the policy in force."""

SEVERITY = Label(name="severity", closed=tuple(SEVERITIES))
PHASES = ("detect", "acknowledge", "mitigate", "resolve")
PHASE = Label(name="phase", closed=PHASES)
PROMISES = ("acknowledge", "resolve")
PROMISED = Label(name="phase", closed=PROMISES)
SERVICE = Label(name="service", bound="the services of the catalog, and `other`")
RUNBOOK = Label(name="runbook", bound="the runbooks of the policies")
RULE = Label(name="rule", bound="the rules of the policies")
CHANNEL = Label(name="channel", bound="the channels of the policies")
ALERTMANAGER = Label(name="alertmanager", bound="the Alertmanagers of `REMEDIATOR_ALERTMANAGER_URLS`")

MOMENTS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds: what happens while somebody waits for the answer."""
CALLS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)
"""Seconds: a request to another server, up to the longest that is waited for."""
ATTEMPTS = (1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400)
"""Seconds: a runbook, from one restart to a long job."""
RESPONSES = (1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400)
"""Seconds, with a bound at what severities promise: 5, 15 and 30 minutes, 1, 4, 8 and 24 hours."""

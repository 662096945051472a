"""``remediator demo``: a whole incident on this machine, with nothing to set up.

The daemon is the real one, in a process of its own, with its embedded store; the cluster and PagerDuty are
this package's neighbours, over real HTTP. ``stage`` starts and ends all of it, ``story`` plays two scenes,
``alertmanager`` watches the cluster and sends alerts, ``follower`` prints what happens, ``ending`` says
whether it ended as it should.
"""

from __future__ import annotations

from remediator.testing.demo.errors import DemoError
from remediator.testing.demo.run import Outcome, run_demo

__all__ = ["DemoError", "Outcome", "run_demo"]

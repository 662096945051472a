"""remediator: closes the loop from a Prometheus alert to a verified fix."""

__version__ = "0.1.0"

"""The Dockerfile: linted by the real hadolint, and its steps done as far as they can be without an engine."""

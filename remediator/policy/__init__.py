"""Policy files to core values and back: loading, linting, explaining."""

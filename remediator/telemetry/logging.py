"""The log: one line for each thing that happened, in JSON for machines, in colour on a terminal.

Every text is made plain before it is written, so that nothing an alert carries can forge a line, hide one or
move a cursor. Tracebacks never show the values of variables.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import Processor

from remediator.core.text import plain

LONGEST_TEXT = 1000
"""Characters of one value."""
LONGEST_LINE = 300
"""Characters of one line of a traceback."""
NOISY = ("aiohttp", "asyncio", "httpx2", "httpcore2", "kubernetes_asyncio", "pagerduty", "redis", "urllib3")
"""Libraries that tell more than anybody asked for; their warnings are heard."""

Event = MutableMapping[str, Any]


def configure_logging(level: str, *, stream: TextIO | None = None, terminal: bool | None = None) -> None:
    """Send everything of ``level`` and above to ``stream`` (standard error).

    ``terminal``: written for a person; default: whether the stream is a terminal. What libraries say by the
    standard library's logging goes the same way.
    """
    out = sys.stderr if stream is None else stream
    readable = out.isatty() if terminal is None else terminal
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        make_plain,
    ]
    render: Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if readable
        else structlog.processors.JSONRenderer(default=lambda value: plain(str(value), LONGEST_TEXT))
    )
    structlog.configure(
        processors=[*shared, render],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(out),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, render],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    for name in NOISY:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def make_plain(_logger: object, _method: str, event: Event) -> Event:
    """Every text on one line and without anything that a terminal would obey."""
    for name, value in event.items():
        if name == "exception":
            event[name] = "\n".join(plain_line(line) for line in str(value).splitlines())
        else:
            event[name] = plain_value(value)
    return event


def plain_line(line: str) -> str:
    """A line of a traceback, its indentation kept. Indented, so that none can pass for a line of the log."""
    return "  " + " " * (len(line) - len(line.lstrip(" "))) + plain(line, LONGEST_LINE)


def plain_value(value: Any) -> Any:
    """Numbers as they are; everything else as text, texts within lists and mappings, too."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {plain(str(name), 100): plain_value(each) for name, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain_value(each) for each in value]
    return plain(str(value), LONGEST_TEXT)

"""structlog, set up once per process: events with stable names, to standard error.

Console lines for people, JSON lines for programs. Payloads are never logged.
"""

import logging
import sys

import structlog

from ingester.settings import Settings


def set_up_logs(settings: Settings, **context: object) -> None:
    """Configure logging for this process; `context` is added to every line."""
    for_people = settings.ingester_log_format == "console" or (
        settings.ingester_log_format == "auto" and sys.stderr.isatty()
    )
    renderer = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if for_people
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.ingester_log_level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**context)


def keep_off_results() -> None:
    """Send logs to standard error before any setting is known; structlog's own way is to stdout."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))

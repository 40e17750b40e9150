"""Log lines: readable on a terminal, JSON in pods; the last line of a stage is one sentence a person can act on."""

from __future__ import annotations

import logging
import sys

import structlog


def configure_logs(form: str, level: str = "INFO") -> None:
    """Set up logging once, to stderr. `form` is `json`, `text` or `auto` (text on a terminal, JSON elsewhere)."""
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if as_text else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        # looked up at each line: whoever replaces sys.stderr (a progress bar, a test) gets the lines
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )

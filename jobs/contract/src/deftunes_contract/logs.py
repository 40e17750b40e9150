"""Log lines: readable on a terminal, JSON in pods; the last line of a stage is one sentence a person can act on.

Everything said goes through `redaction` here: our own lines, those of libraries that use `logging` (httpx, botocore,
py4j, Great Expectations), and the trace of an exception that nobody caught.
"""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from types import TracebackType

import structlog

from deftunes_contract.redaction import printable, redact, redact_all, register_environment

_KEEPS_ITS_LINES = frozenset({"exception", "stack"})


def configure_logs(form: str, level: str = "INFO") -> None:
    """Set up logging once, to stderr. `form` is `json`, `text` or `auto` (text on a terminal, JSON elsewhere)."""
    register_environment()
    as_text = form == "text" or (form == "auto" and sys.stderr.isatty())
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()) if as_text else structlog.processors.JSONRenderer()
    )
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*shared, _without_secrets, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        # looked up at each line: whoever replaces sys.stderr (a progress bar, a test) gets the lines
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    _route_libraries(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _without_secrets, renderer],
        )
    )
    sys.excepthook = show_trace
    threading.excepthook = lambda seen: show_trace(seen.exc_type, seen.exc_value, seen.exc_traceback)


def show_trace(kind: type[BaseException], error: BaseException | None, trace: TracebackType | None) -> None:
    """Print an exception that nobody caught, without secrets."""
    text = "".join(traceback.format_exception(kind, error, trace))
    sys.stderr.write(printable(redact(text), keep="\n\t"))


class _StandardError(logging.StreamHandler):  # type: ignore[type-arg]  # the stream is whatever sys.stderr is
    """Writes to what sys.stderr is at each line."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def _route_libraries(formatter: logging.Formatter) -> None:
    """Send the warnings of libraries through the same processors."""
    handler = _StandardError()
    handler.setFormatter(formatter)
    handler.setLevel(logging.WARNING)
    root = logging.getLogger()
    for old in [h for h in root.handlers if isinstance(h, _StandardError)]:
        root.removeHandler(old)
    root.addHandler(handler)


def _without_secrets(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """The last processor before a line is rendered: no secret, and nothing that would start a line of its own."""
    return {key: _shown(key, value) for key, value in event.items()}


def _shown(key: str, value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    if isinstance(value, str):
        return printable(redact(value), keep="\n\t" if key in _KEEPS_ITS_LINES else "")
    if isinstance(value, dict | list | tuple):
        return redact_all(value)
    return printable(redact(str(value)))

"""The HTTP API of the shop: two GET endpoints that answer with one whole JSON array, and the fault switch.

spans of the calendar ─► records ─► (record faults) ─► chunks ─► (request fault) ─► socket. Replies are
written while they are generated, in constant memory, as slowly as the client reads.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from fastapi_offline import FastAPIOffline

from .calendar import Calendar
from .catalogue import open_catalogue
from .config import WorldConfig
from .connections import Connections
from .errors import ConfigError
from .faults import Fault, FaultInjector, Interruption
from .http_body import Break, CleanEnd, Reset, Stall, array_chunks, broken_chunks
from .people import People
from .record_faults import tamper
from .records import SessionRecord, UserRecord
from .sales import Sales

_RESET_PAUSE = 0.05  # lets the client read what was sent: a reset throws away whatever is still on its way
_BAD_GATEWAY_PAGE = "<!doctype html><html><body><h1>Scheduled maintenance</h1><p>Back soon.</p></body></html>"

StartDate = Annotated[str | None, Query(description="First day, YYYY-MM-DD", examples=["2020-01-01"])]
EndDate = Annotated[str | None, Query(description="Last day, YYYY-MM-DD, inclusive", examples=["2020-01-31"])]


@dataclass(frozen=True)
class Days:
    """An asked interval; both days belong to it."""

    first: date
    last: date


class Shop:
    """Everything one API process serves from."""

    def __init__(self, config: WorldConfig, connections: Connections) -> None:
        """Build the generators; raises ConfigError when a song file or a fault cannot be read."""
        self.config = config
        self.connections = connections
        self.calendar: Calendar = config.calendar()
        self.people = People(config, self.calendar)
        self.sales = Sales(config, self.calendar, self.people, open_catalogue(config))
        self.board = FaultInjector(config.seed, [Fault.parse(text) for text in config.faults])

    def reply(self, request: Request, endpoint: str, days: Days | None) -> Response:
        """Answer one request, or spoil the answer as the fault board decides."""
        verdict = self.board.judge(endpoint)
        broken = verdict.interruption
        if broken is not None and (refusal := _refusal(broken.fault)) is not None:
            return refusal
        spans = self.calendar.everything() if days is None else self.calendar.overlap(days.first, days.last)
        records = self.people.records(spans) if endpoint == "users" else self.sales.records(spans)
        if verdict.record_rules:
            records = tamper(records, verdict.record_rules, days.first if days else None, self.config.seed)
        chunks: Iterable[bytes | Break]
        chunks = array_chunks(records) if broken is None else broken_chunks(records, broken.record, _break_of(broken))
        return StreamingResponse(self._stream(request, iter(chunks)), media_type="application/json")

    async def _stream(self, request: Request, chunks: Iterator[bytes | Break]) -> AsyncIterator[bytes]:
        for chunk in chunks:
            match chunk:
                case Stall():
                    await asyncio.sleep(chunk.seconds)
                case Reset():
                    await asyncio.sleep(_RESET_PAUSE)
                    self.connections.reset(request.scope["client"])
                    return
                case CleanEnd():
                    return
                case bytes():
                    yield chunk
                    # Generating is work on the event loop: let other requests in between two chunks.
                    await asyncio.sleep(0)


def _refusal(fault: Fault) -> Response | None:
    match fault.kind:
        case "http_429":
            return JSONResponse(
                {"detail": "Too many requests; retry after the time in Retry-After"},
                status_code=429,
                headers={"Retry-After": str(math.ceil(fault.seconds))},
            )
        case "http_500":
            return JSONResponse({"detail": "Internal Server Error"}, status_code=500)
        case "wrong_content_type":
            return HTMLResponse(_BAD_GATEWAY_PAGE)
    return None


def _break_of(interruption: Interruption) -> Break:
    match interruption.fault.kind:
        case "stall":
            return Stall(interruption.fault.seconds)
        case "reset":
            return Reset()
    return CleanEnd()


def _asked_days(endpoint: str, start_date: str | None, end_date: str | None, *, required: bool) -> Days | None:
    """Read the interval of a request; answers 422 with one clear sentence."""
    if start_date is None and end_date is None and not required:
        return None
    found = f"found start_date={start_date!r} and end_date={end_date!r}"
    if start_date is None or end_date is None:
        optional = "" if required else ", or neither for all records"
        raise HTTPException(422, f"/{endpoint}: expected both start_date and end_date{optional}; {found}")
    try:
        days = Days(_iso_day(start_date), _iso_day(end_date))
    except ValueError:
        raise HTTPException(422, f"/{endpoint}: expected calendar days as YYYY-MM-DD; {found}") from None
    if days.last < days.first:
        raise HTTPException(422, f"/{endpoint}: expected end_date (inclusive) not before start_date; {found}")
    return days


def _iso_day(text: str) -> date:
    day = date.fromisoformat(text)
    if text != day.isoformat():  # fromisoformat also accepts 20200101 and 2020-W01-1
        raise ValueError(text)
    return day


def create_app(config: WorldConfig, connections: Connections) -> FastAPI:
    """Build the application for one world; raises ConfigError."""
    shop = Shop(config, connections)
    # its /docs page brings its own scripts: FastAPI's would load them from the internet
    app = FastAPIOffline(
        title="DeFtunes operational API", version="1.0", description=(__doc__ or "").partition("\n")[0]
    )

    app.state.songs_loaded = None
    app.state.shop = shop

    @app.get("/users", responses={200: {"model": list[UserRecord]}}, tags=["data"])
    async def users(request: Request, start_date: StartDate = None, end_date: EndDate = None) -> Response:
        """Users who signed up from start_date to end_date, both inclusive; everyone without dates."""
        return shop.reply(request, "users", _asked_days("users", start_date, end_date, required=False))

    @app.get("/sessions", responses={200: {"model": list[SessionRecord]}}, tags=["data"])
    async def sessions(request: Request, start_date: StartDate = None, end_date: EndDate = None) -> Response:
        """Sessions that started from start_date to end_date, both inclusive. Both dates are required."""
        return shop.reply(request, "sessions", _asked_days("sessions", start_date, end_date, required=True))

    @app.get("/health", tags=["simulator"])
    async def health(response: Response) -> dict[str, Any]:
        """Tell which world this is, and whether all of it is there: 503 until the songs database is loaded."""
        loaded = app.state.songs_loaded
        response.status_code = 503 if loaded is None else 200
        return {"status": "loading songs" if loaded is None else "ok", "songs": loaded, "seed": config.seed,
                "scale": config.scale, "first_month": config.first_month, "months": config.months}  # fmt: skip

    @app.get("/_faults", tags=["simulator"])
    async def show_faults() -> dict[str, Any]:
        """Show the fault rules in force and how often each struck."""
        return shop.board.report()

    @app.put("/_faults", tags=["simulator"])
    async def set_faults(faults: Annotated[list[str | dict[str, Any]], Body()]) -> dict[str, Any]:
        """Replace all fault rules: a list of rules as text (the grammar of --fault) or as objects."""
        try:
            read = [Fault.parse(one) if isinstance(one, str) else Fault.from_mapping(one) for one in faults]
        except ConfigError as error:
            raise HTTPException(422, str(error)) from None
        shop.board.replace(read)
        return shop.board.report()

    @app.delete("/_faults", tags=["simulator"])
    async def clear_faults() -> dict[str, Any]:
        """Remove all fault rules."""
        shop.board.replace([])
        return shop.board.report()

    return app

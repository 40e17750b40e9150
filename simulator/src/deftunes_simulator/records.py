"""The shapes of the API's records, for its interactive documentation. Replies are not built from these."""

from __future__ import annotations

from pydantic import BaseModel, Field


class UserRecord(BaseModel):
    """One user. Times are UTC, ISO 8601 with microseconds and without zone."""

    user_id: str = Field(examples=["a3141825-3a8c-4968-a3af-5362011ef7d5"])
    user_name: str = Field(examples=["Elizabeth"])
    user_lastname: str = Field(examples=["Carey"])
    user_location: tuple[str, str, str, str, str] = Field(
        description="latitude, longitude, place, country code, time zone: all text",
        examples=[["46.32313", "-0.45877", "Niort", "FR", "Europe/Paris"]],
    )
    user_since: str = Field(examples=["2020-12-22T14:15:35.936090"])


class SessionItem(BaseModel):
    """One song sold. ``song_id`` is the TRACK id (TR…) of the song."""

    song_id: str = Field(examples=["TRXKAGX128F9342DD7"])
    song_name: str = Field(examples=["3 Cards"])
    artist_id: str = Field(examples=["AR475MP1187B9A5449"])
    artist_name: str = Field(examples=["The Balancing Act"])
    price: float = Field(examples=[1.03])
    currency: str = Field(examples=["USD"])
    liked: bool
    liked_since: str | None = Field(examples=["2023-01-27T08:29:54.970697"])


class SessionRecord(BaseModel):
    """One session with the songs it bought."""

    user_id: str = Field(examples=["6b287203-7cab-4f1a-b1a4-2b5076294682"])
    session_id: str = Field(examples=["04a5e8ac-1acd-48dc-88b9-651c4ddf489c"])
    session_items: list[SessionItem]
    user_agent: str = Field(examples=["Mozilla/5.0 (Windows NT 11.0) AppleWebKit/531.2"])
    session_start_time: str = Field(examples=["2020-02-07T18:05:25.824461"])

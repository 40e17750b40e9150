"""Resources that exist: made through boto3 in moto (or whatever speaks AWS at an endpoint on loopback).

One module per service; each holds a Maker per type. What is not here is only remembered.
"""

from __future__ import annotations

import threading
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from ..values import Properties
from . import catalogue, identity, images, storage, vault
from .maker import Maker


class Refused(Exception):
    """AWS (moto) turned something down; the text is the engine's diagnostic."""


class Cloud:
    """An account at an endpoint."""

    def __init__(self, endpoint: str, region: str) -> None:
        self._endpoint, self._region = endpoint, region
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:
        """A boto3 client of the endpoint, made once (a tenth of a second) and without looking at the environment."""
        # threads may share a client, but not its making
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._make(service)
            return self._clients[service]

    def _make(self, service: str) -> Any:
        session = boto3.session.Session(
            aws_access_key_id="testing", aws_secret_access_key="testing", region_name=self._region
        )
        config = Config(
            s3={"addressing_style": "path"}, proxies={}, retries={"max_attempts": 1}, max_pool_connections=20
        )
        return session.client(service, endpoint_url=self._endpoint, config=config)

    def makes(self, kind: str) -> bool:
        """Whether a type is made for real."""
        return kind in MAKERS

    def create(self, kind: str, expected: Properties) -> tuple[str, Properties]:
        """Make it: its id and the outputs that AWS decided. expected: what the stand-in would answer."""
        maker = MAKERS[kind]
        made: tuple[str, Properties] = self._asked(kind, lambda: maker.create(self.client(maker.service), expected))
        return made

    def update(self, kind: str, identifier: str, old: Properties, new: Properties) -> None:
        """Change it; old and new are outputs."""
        maker = MAKERS[kind]
        self._asked(kind, lambda: maker.update(self.client(maker.service), identifier, old, new))

    def delete(self, kind: str, identifier: str, known: Properties) -> None:
        """Remove it; that it is gone already is no error."""
        maker = MAKERS[kind]
        self._asked(kind, lambda: maker.delete(self.client(maker.service), identifier, known))

    def exists(self, kind: str, identifier: str, known: Properties) -> bool:
        """Whether it is there."""
        maker = MAKERS[kind]
        return bool(self._asked(kind, lambda: maker.exists(self.client(maker.service), identifier, known)))

    def _asked(self, kind: str, question: Any) -> Any:
        try:
            return question()
        except (BotoCoreError, ClientError) as error:
            raise Refused(f"{kind}: {error}") from error


MAKERS: dict[str, Maker] = {
    **storage.MAKERS,
    **catalogue.MAKERS,
    **identity.MAKERS,
    **images.MAKERS,
    **vault.MAKERS,
}

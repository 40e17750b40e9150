"""Databases of the Glue Data Catalog."""

from __future__ import annotations

from typing import Any

from ..values import Properties
from .maker import Maker, given


class Database(Maker):
    """A namespace of tables; a location is where new ones go."""

    service = "glue"

    def create(self, aws: Any, wanted: Properties) -> tuple[str, Properties]:
        aws.create_database(DatabaseInput=self._input(wanted), **given(Tags=wanted.get("tagsAll") or None))
        return wanted["id"], {}

    def update(self, aws: Any, identifier: str, old: Properties, new: Properties) -> None:
        aws.update_database(Name=new["name"], DatabaseInput=self._input(new))

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        aws.delete_database(Name=known["name"])

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return aws.get_database(Name=identifier.partition(":")[2])

    def _input(self, wanted: Properties) -> Properties:
        return given(
            Name=wanted["name"],
            Description=wanted.get("description"),
            LocationUri=wanted.get("locationUri"),
            Parameters=wanted.get("parameters"),
        )


MAKERS: dict[str, Maker] = {"aws:glue/catalogDatabase:CatalogDatabase": Database()}

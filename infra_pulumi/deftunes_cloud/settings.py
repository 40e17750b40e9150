"""A stack's settings: one typed section a component, read once from Pulumi's configuration, contradictions refused.

`Pulumi.<stack>.yaml` names only what differs from the defaults here. docs/aws.md lists what a stack must say.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import pulumi
from pydantic import Field, ValidationError, model_validator

from deftunes_cloud.alarms import AlarmSettings
from deftunes_cloud.base import Cidr, ConfigSection, Environment, is_everywhere
from deftunes_cloud.cluster import ClusterSettings
from deftunes_cloud.database import DatabaseSettings
from deftunes_cloud.identities import ReleaseSettings
from deftunes_cloud.lake import LakeSettings
from deftunes_cloud.network import NetworkSettings
from deftunes_cloud.registry import RegistrySettings
from deftunes_cloud.warehouse import WarehouseSettings


class ShopSettings(ConfigSection):
    """The sources, which are not ours: where the chart and its network policies find them."""

    api_url: str = Field(pattern=r"^https://")
    api_cidr: Cidr = "0.0.0.0/0"
    songs_cidr: Cidr = "0.0.0.0/0"
    songs_port: int = 5432


class SourceSettings(ConfigSection):
    """The server of an added contract: where it is, and which secrets people put in for it."""

    url: str = ""
    cidr: Cidr = "0.0.0.0/0"
    port: int = 443
    secrets: tuple[Literal["dsn", "token", "password", "client", "cert", "key"], ...] = ()


class Settings(ConfigSection):
    """All of a stack. Raises ValidationError with a sentence for every contradiction."""

    environment: Environment
    shop: ShopSettings
    # by the name of the server in the contract
    sources: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]*$")], SourceSettings] = Field(default_factory=dict)
    release: ReleaseSettings = ReleaseSettings()
    network: NetworkSettings = NetworkSettings()
    cluster: ClusterSettings = ClusterSettings()
    lake: LakeSettings = LakeSettings()
    warehouse: WarehouseSettings = WarehouseSettings()
    database: DatabaseSettings = DatabaseSettings()
    registry: RegistrySettings = RegistrySettings()
    alarms: AlarmSettings
    # nothing that holds data can be deleted by Pulumi; docs/aws.md, "Teardown", says how to end it all the same
    protect: bool = True

    @model_validator(mode="after")
    def _validate_consistency(self) -> Settings:
        refused = [sentence for is_wrong, sentence in self._contradictions() if is_wrong]
        if refused:
            raise ValueError("; ".join(refused))
        return self

    def _contradictions(self) -> list[tuple[bool, str]]:
        is_prod = self.environment == "prod"
        login = "redshift-serverless" if self.warehouse.kind == "serverless" else "redshift"
        wide = [name for name in ("api_cidr", "songs_cidr") if is_everywhere(getattr(self.shop, name))]
        wide = [f"shop.{name}" for name in wide]
        wide += [f"sources.{name}.cidr" for name, source in self.sources.items() if is_everywhere(source.cidr)]
        wide += ["alarms.chat_cidrs"] if any(map(is_everywhere, self.alarms.chat_cidrs)) else []
        return [
            (is_prod and not self.protect, "prod holds the only copy of its data: protect must be true"),
            (
                is_prod and self.network.nat != "per-zone",
                "prod must not lose the internet with one zone: network.nat must be per-zone",
            ),
            (
                is_prod and not self.database.multi_az,
                "prod's Airflow must survive the loss of a zone: database.multi_az must be true",
            ),
            (
                is_prod and bool(wide),
                f"prod's pods reach named networks only: {' and '.join(wide)} must not be the internet, nor half of it",
            ),
            (
                is_prod and login not in self.network.endpoints,
                f"prod's pods reach AWS by the VPC's endpoints only: network.endpoints must contain {login}, "
                "by which dbt logs in",
            ),
            (
                self.network.nat == "none" and self.shop.api_cidr == "0.0.0.0/0",
                "without NAT no pod reaches the internet: network.nat must be single or per-zone, or shop.api_cidr "
                "must name a network that the VPC reaches by itself",
            ),
        ]


def read_settings() -> Settings:
    """The settings of the stack that is running: every key of `deftunes:` in its configuration.

    Raises pulumi.RunError, before anything is created, with a line for each fault.
    """
    config = pulumi.Config("deftunes")
    given: dict[str, Any] = {"environment": config.get("environment")}
    for name in Settings.model_fields.keys() - {"environment"}:
        if config.get(name) is not None:
            given[name] = config.require_object(name)
    try:
        return Settings.model_validate(given)
    except ValidationError as error:
        faults = "\n".join(
            f"  deftunes:{'.'.join(map(str, fault['loc'])) or 'settings'}: {fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors(include_url=False)
        )
        raise pulumi.RunError(
            f"the configuration of stack {pulumi.get_stack()} is refused, nothing was created:\n{faults}\n"
            "Mend Pulumi.<stack>.yaml; docs/aws.md lists every setting."
        ) from None

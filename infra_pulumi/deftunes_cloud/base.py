"""What every section of a stack's settings has in common, and what every component is given."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict

Environment = Literal["dev", "staging", "prod"]

Cidr = Annotated[str, AfterValidator(lambda text: str(ip_network(text)))]


def is_everywhere(cidr: str) -> bool:
    """Whether a network is the internet, or a part of it that nobody owns: wider than /8."""
    return ip_network(cidr).prefixlen < 8


class ConfigSection(BaseModel):
    """A part of the stack's configuration: frozen, and closed, so that a mistyped name is refused and not ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def tags_of(environment: str) -> dict[str, str]:
    """Whose a resource is: the provider gives these tags to all of them, and the bill is counted by them."""
    return {"platform": "deftunes", "environment": environment}


@dataclass(frozen=True)
class StackContext:
    """Where a stack is and how careful it is: handed to every component.

    `name` begins the name of every resource (deftunes-prod); `is_protected` keeps the engine, and the services
    themselves where they can, from deleting what holds data.
    """

    environment: Environment
    region: str
    account: str
    partition: str
    is_protected: bool

    @property
    def name(self) -> str:
        """Prefix of names: deftunes-prod."""
        return f"deftunes-{self.environment}"

    @property
    def tags(self) -> dict[str, str]:
        """Tags for what the provider's own do not reach."""
        return tags_of(self.environment)

    def arn(self, service: str, resource: str) -> str:
        """ARN of something of this account and region: `context.arn("glue", "catalog")`."""
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

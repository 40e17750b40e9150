"""Names of the secrets that people put in, so that no value passes through Pulumi or lies in its state.

docs/aws.md shows how each is filled (`aws secretsmanager put-secret-value`) and handed to the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi
import pulumi_aws as aws

from deftunes_cloud.base import StackContext

WANTED: Mapping[str, str] = {
    "songs-dsn": "libpq URI of the shop's songs database",
    "airflow-database-url": "SQLAlchemy URL of Airflow's database, with the account made for Airflow",
    "airflow-admin-password": "first password of Airflow's administrator",
    "airflow-alert-webhook": "URL that failed tasks are posted to",
}


class Secrets(pulumi.ComponentResource):
    """Empty secrets, one a value. Outputs: `names` by purpose, `of_sources` by server of added contracts and kind."""

    def __init__(
        self,
        name: str,
        context: StackContext,
        sources: Mapping[str, Sequence[str]] | None = None,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("deftunes:cloud:Secrets", name, {}, opts)
        self._context = context
        self.names = {purpose: self._secret(purpose, description) for purpose, description in WANTED.items()}
        self.of_sources = {
            server: {kind: self._secret(f"source-{server}-{kind}", f"{kind} of source {server}") for kind in kinds}
            for server, kinds in (sources or {}).items()
        }
        self.register_outputs({"names": self.names, "of_sources": self.of_sources})

    def _secret(self, purpose: str, description: str) -> pulumi.Output[str]:
        return aws.secretsmanager.Secret(
            purpose,
            name=f"{self._context.name}/{purpose}",
            description=description,
            # a secret deleted by mistake can be had back for a week
            recovery_window_in_days=7,
            opts=pulumi.ResourceOptions(parent=self),
        ).name

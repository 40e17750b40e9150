"""Names of the secrets that people put in, so that no value passes through Pulumi or lies in its state.

docs/aws.md shows how each is filled (`aws secretsmanager put-secret-value`) and handed to the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping

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
    """Empty secrets, one a value. Outputs: `names` by purpose."""

    def __init__(self, name: str, context: StackContext, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("deftunes:cloud:Secrets", name, {}, opts)
        self.names: dict[str, pulumi.Output[str]] = {
            purpose: aws.secretsmanager.Secret(
                purpose,
                name=f"{context.name}/{purpose}",
                description=description,
                # a secret deleted by mistake can be had back for a week
                recovery_window_in_days=7,
                opts=pulumi.ResourceOptions(parent=self),
            ).name
            for purpose, description in WANTED.items()
        }
        self.register_outputs({"names": self.names})

"""Airflow's database: PostgreSQL on RDS, reached by the cluster's pods only, and by TLS only.

RDS makes the administrator's password, keeps it in Secrets Manager and renews it; no value passes through here. Airflow
has an account of its own, made once by hand: docs/aws.md. Deletion: refused by RDS and Pulumi while `protect` is on;
the last snapshot and the backups stay.
"""

from __future__ import annotations

import pulumi
import pulumi_aws as aws
from pydantic import Field, model_validator

from deftunes_cloud.base import ConfigSection, StackContext
from deftunes_cloud.cluster import Cluster
from deftunes_cloud.keys import make_key
from deftunes_cloud.network import Network

PORT = 5432
DATABASE = "airflow"
LOGS = ("postgresql", "upgrade")


class DatabaseSettings(ConfigSection):
    """Size and safety."""

    # the major version: RDS takes minor ones by itself, in the window for maintenance
    engine_version: str = Field("17", pattern=r"^\d\d$")
    instance_class: str = Field("db.t4g.small", pattern=r"^db\.[a-z0-9]+\.[a-z0-9]+$")
    # Airflow's rows take a few GB in years; gp3 begins at 20
    storage_gb: int = Field(20, ge=20)
    # RDS adds storage up to here before there is none left
    storage_max_gb: int = Field(100, ge=22)
    multi_az: bool = False
    backup_days: int = Field(14, ge=1, le=35)
    log_days: int = Field(90, ge=1)

    @model_validator(mode="after")
    def _grows(self) -> DatabaseSettings:
        # RDS wants a tenth of room, and refuses less only when it is created
        if self.storage_max_gb * 10 < self.storage_gb * 11:
            raise ValueError(
                f"database.storage_max_gb must be a tenth above storage_gb ({self.storage_gb}), found "
                f"{self.storage_max_gb}: the database could not grow"
            )
        return self


class Database(pulumi.ComponentResource):
    """The instance and what guards it.

    Outputs: `address`, `port`, `database` (its name), `identifier`, `master_secret_arn`, `cidrs` (where it may be, for
    network policies; plain text).
    """

    def __init__(
        self,
        name: str,
        context: StackContext,
        settings: DatabaseSettings,
        *,
        network: Network,
        cluster: Cluster,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("deftunes:cloud:Database", name, {}, opts)
        self._context, self._child = context, pulumi.ResourceOptions(parent=self)
        self.port, self.database, self.cidrs = PORT, DATABASE, network.data_cidrs
        key = make_key(self, context, "database", "Airflow's database and its password")
        instance = self._instance(settings, key, network, self._group(network, cluster))
        self.address, self.identifier = instance.address, instance.identifier
        self.master_secret_arn: pulumi.Output[str] = instance.master_user_secrets[0].secret_arn
        self.register_outputs({"address": self.address, "master_secret_arn": self.master_secret_arn})

    def _group(self, network: Network, cluster: Cluster) -> aws.ec2.SecurityGroup:
        group = aws.ec2.SecurityGroup(
            "database",
            description="Airflow's database: from the pods, to nobody",
            vpc_id=network.vpc_id,
            egress=[],
            opts=self._child,
        )
        cluster.admit_pods(self, "database", group, PORT, "Airflow")
        return group

    def _instance(
        self, settings: DatabaseSettings, key: aws.kms.Key, network: Network, group: aws.ec2.SecurityGroup
    ) -> aws.rds.Instance:
        is_protected = self._context.is_protected
        identifier = f"{self._context.name}-airflow"
        subnets = aws.rds.SubnetGroup("database", subnet_ids=network.data_subnet_ids, opts=self._child)
        parameters = aws.rds.ParameterGroup(
            "database",
            family=f"postgres{settings.engine_version}",
            parameters=[{"name": "rds.force_ssl", "value": "1"}, {"name": "log_connections", "value": "1"}],
            opts=self._child,
        )
        return aws.rds.Instance(
            "database",
            identifier=identifier,
            db_name=DATABASE,
            engine="postgres",
            engine_version=settings.engine_version,
            auto_minor_version_upgrade=True,
            allow_major_version_upgrade=False,
            instance_class=settings.instance_class,
            multi_az=settings.multi_az,
            username="airflow_admin",
            manage_master_user_password=True,
            master_user_secret_kms_key_id=key.arn,
            # people log in with a token of fifteen minutes, as themselves
            iam_database_authentication_enabled=True,
            storage_type="gp3",
            allocated_storage=settings.storage_gb,
            max_allocated_storage=settings.storage_max_gb,
            storage_encrypted=True,
            kms_key_id=key.arn,
            db_subnet_group_name=subnets.name,
            parameter_group_name=parameters.name,
            vpc_security_group_ids=[group.id],
            publicly_accessible=False,
            port=PORT,
            backup_retention_period=settings.backup_days,
            # UTC; after the night's runs, and on Sundays after the lake's maintenance, which may take until eight
            backup_window="01:00-02:00",
            maintenance_window="sun:09:00-sun:10:00",
            copy_tags_to_snapshot=True,
            delete_automated_backups=not is_protected,
            skip_final_snapshot=not is_protected,
            final_snapshot_identifier=f"{identifier}-final" if is_protected else None,
            deletion_protection=is_protected,
            database_insights_mode="standard",
            performance_insights_enabled=True,
            performance_insights_kms_key_id=key.arn,
            # what costs nothing
            performance_insights_retention_period=7,
            enabled_cloudwatch_logs_exports=list(LOGS),
            opts=pulumi.ResourceOptions(
                parent=self, protect=is_protected, depends_on=self._log_groups(identifier, settings.log_days)
            ),
        )

    def _log_groups(self, identifier: str, days: int) -> list[pulumi.Resource]:
        """Under RDS's own names: it would make them itself, and keep them for ever."""
        return [
            aws.cloudwatch.LogGroup(
                f"database-{log}",
                name=f"/aws/rds/instance/{identifier}/{log}",
                retention_in_days=days,
                opts=self._child,
            )
            for log in LOGS
        ]

"""Redshift: a serverless workgroup, or a provisioned cluster; private, encrypted, logged, with a limit on its cost.

The administrator's password is made and kept by AWS (`manage_admin_password`) and never seen here. dbt logs in by IAM.
Deletion: what holds rows is protected; a cluster leaves a final snapshot.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal

import pulumi
import pulumi_aws as aws
from pydantic import Field, model_validator

from deftunes_cloud import grants
from deftunes_cloud.base import ConfigSection, StackContext
from deftunes_cloud.catalog import Catalog
from deftunes_cloud.cluster import Cluster
from deftunes_cloud.keys import make_key
from deftunes_cloud.lake import Lake
from deftunes_cloud.network import Network
from deftunes_cloud.roles import make_role, resource_arns

PORT = 5439
DATABASE = "deftunes"
AUDIT_LOGS = ("userlog", "connectionlog", "useractivitylog")


class WarehouseSettings(ConfigSection):
    """Kind and size. RPU = Redshift processing units, billed by the second of use."""

    kind: Literal["serverless", "cluster"] = "serverless"
    base_rpu: int = Field(8, ge=4, le=512)
    max_rpu: int = Field(32, ge=4, le=512)
    # of a month; queries are refused above it, until somebody raises the limit
    limit_rpu_hours: int = Field(200, ge=1)
    node_type: str = Field("ra3.large", pattern=r"^(ra3|rg)\.")
    nodes: int = Field(2, ge=1, le=32)
    snapshot_days: int = Field(7, ge=1, le=35)

    @model_validator(mode="after")
    def _validate_capacity(self) -> WarehouseSettings:
        if self.max_rpu < self.base_rpu:
            raise ValueError(
                f"warehouse.max_rpu must be at least base_rpu ({self.base_rpu}), found {self.max_rpu}: the workgroup "
                "could not start"
            )
        given = self.model_fields_set
        wrong = given & ({"node_type", "nodes", "snapshot_days"} if self.kind == "serverless" else _OF_SERVERLESS)
        if wrong:
            raise ValueError(f"warehouse.{', '.join(sorted(wrong))} says nothing to kind {self.kind}: leave it out")
        return self


_OF_SERVERLESS = {"base_rpu", "max_rpu", "limit_rpu_hours"}


class Warehouse(pulumi.ComponentResource):
    """The warehouse, and the role with which it reads the lake (Spectrum).

    Outputs: `host`, `port`, `database`, `workgroup` and `cluster` (one of them empty), `spectrum_role_arn`,
    `admin_secret_arn`, `login_arn` (what a grant to log in names), `is_serverless`.
    """

    workgroup: pulumi.Output[str]
    cluster: pulumi.Output[str]
    host: pulumi.Output[str]
    admin_secret_arn: pulumi.Output[str]
    login_arn: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        context: StackContext,
        settings: WarehouseSettings,
        *,
        network: Network,
        cluster: Cluster,
        lake: Lake,
        catalog: Catalog,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("deftunes:cloud:Warehouse", name, {}, opts)
        self.port, self.database = PORT, DATABASE
        self.is_serverless = settings.kind == "serverless"
        self._context = context
        self._child = pulumi.ResourceOptions(parent=self)
        self._keeps = pulumi.ResourceOptions(parent=self, protect=context.is_protected)
        key = make_key(self, context, "warehouse", "warehouse")
        spectrum = make_role(
            self,
            f"{context.name}-spectrum",
            # a serverless namespace takes its roles on as either of them
            grants.assume_role_policy(
                "redshift.amazonaws.com",
                "redshift-serverless.amazonaws.com",
                only=grants.for_users_of(context.account, context.arn("redshift", f"dbuser:{context.name}/*")),
            ),
            resource_arns(context, lake, catalog).apply(partial(grants.document, "spectrum")),
        )
        self.spectrum_role_arn = spectrum.arn
        group, subnet_ids = self._group(network, cluster), network.data_subnet_ids
        if self.is_serverless:
            self._serverless(settings, key, subnet_ids, group)
        else:
            self._provisioned(settings, key, subnet_ids, group)
        self.register_outputs({"host": self.host, "port": PORT, "database": DATABASE})

    def _group(self, network: Network, cluster: Cluster) -> aws.ec2.SecurityGroup:
        """From the pods; to S3 and Glue, which the warehouse reaches by the VPC's endpoints only."""
        group = aws.ec2.SecurityGroup(
            "warehouse", description="Redshift: from the pods, to S3 and Glue", vpc_id=network.vpc_id, opts=self._child
        )
        for service, prefix_list_id, cidr in (("s3", network.s3_prefix_list_id, None), ("glue", None, network.cidr)):
            aws.vpc.SecurityGroupEgressRule(
                f"warehouse-to-{service}",
                security_group_id=group.id,
                prefix_list_id=prefix_list_id,
                cidr_ipv4=cidr,
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
                description=service,
                opts=self._child,
            )
        cluster.admit_pods(self, "warehouse", group, PORT, "dbt")
        return group

    def _serverless(
        self,
        settings: WarehouseSettings,
        key: aws.kms.Key,
        subnet_ids: Sequence[pulumi.Input[str]],
        group: aws.ec2.SecurityGroup,
    ) -> None:
        namespace = aws.redshiftserverless.Namespace(
            "warehouse",
            namespace_name=self._context.name,
            db_name=DATABASE,
            admin_username="admin",
            manage_admin_password=True,
            kms_key_id=key.arn,
            iam_roles=[self.spectrum_role_arn],
            log_exports=list(AUDIT_LOGS),
            opts=self._keeps,
        )
        workgroup = aws.redshiftserverless.Workgroup(
            "warehouse",
            workgroup_name=self._context.name,
            namespace_name=namespace.namespace_name,
            base_capacity=settings.base_rpu,
            max_capacity=settings.max_rpu,
            port=PORT,
            publicly_accessible=False,
            # reads of the lake stay in the VPC, where flow logs see them and S3's endpoint takes them
            enhanced_vpc_routing=True,
            subnet_ids=subnet_ids,
            security_group_ids=[group.id],
            config_parameters=[{"parameter_key": "require_ssl", "parameter_value": "true"}],
            opts=self._child,
        )
        aws.redshiftserverless.UsageLimit(
            "warehouse",
            resource_arn=workgroup.arn,
            usage_type="serverless-compute",
            amount=settings.limit_rpu_hours,
            period="monthly",
            breach_action="deactivate",
            opts=self._child,
        )
        self.workgroup, self.cluster = workgroup.workgroup_name, pulumi.Output.from_input("")
        self.host = workgroup.endpoints[0].address
        self.admin_secret_arn, self.login_arn = namespace.admin_password_secret_arn, workgroup.arn

    def _provisioned(
        self,
        settings: WarehouseSettings,
        key: aws.kms.Key,
        subnet_ids: Sequence[pulumi.Input[str]],
        group: aws.ec2.SecurityGroup,
    ) -> None:
        subnets = aws.redshift.SubnetGroup("warehouse", subnet_ids=subnet_ids, opts=self._child)
        parameters = aws.redshift.ParameterGroup(
            "warehouse",
            family="redshift-2.0",
            parameters=[
                {"name": "require_ssl", "value": "true"},
                {"name": "enable_user_activity_logging", "value": "true"},
            ],
            opts=self._child,
        )
        cluster = aws.redshift.Cluster(
            "warehouse",
            cluster_identifier=self._context.name,
            database_name=DATABASE,
            master_username="deftunes_admin",
            manage_master_password=True,
            node_type=settings.node_type,
            number_of_nodes=settings.nodes,
            cluster_type="multi-node" if settings.nodes > 1 else "single-node",
            encrypted="true",
            kms_key_id=key.arn,
            publicly_accessible=False,
            enhanced_vpc_routing=True,
            port=PORT,
            iam_roles=[self.spectrum_role_arn],
            cluster_subnet_group_name=subnets.name,
            cluster_parameter_group_name=parameters.name,
            vpc_security_group_ids=[group.id],
            automated_snapshot_retention_period=settings.snapshot_days,
            skip_final_snapshot=False,
            final_snapshot_identifier=f"{self._context.name}-final",
            opts=self._keeps,
        )
        aws.redshift.Logging(
            "warehouse",
            cluster_identifier=cluster.cluster_identifier,
            log_destination_type="cloudwatch",
            log_exports=list(AUDIT_LOGS),
            opts=self._child,
        )
        self.workgroup, self.cluster = pulumi.Output.from_input(""), cluster.cluster_identifier
        self.host = cluster.dns_name
        self.admin_secret_arn = cluster.master_password_secret_arn
        self.login_arn = pulumi.Output.concat(
            self._context.arn("redshift", "dbname:"), cluster.cluster_identifier, "/", DATABASE
        )

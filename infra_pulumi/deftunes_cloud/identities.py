"""An identity a stage: a role with its own document, given to the pods of one service account by EKS Pod Identity.

Airflow has a role for its task logs and none for data: its scheduler makes pods, and the pods have the rights.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pulumi
import pulumi_aws as aws
from pydantic import Field

from deftunes_cloud import grants
from deftunes_cloud.base import ConfigSection, StackContext
from deftunes_cloud.catalog import Catalog
from deftunes_cloud.cluster import Cluster
from deftunes_cloud.lake import Lake
from deftunes_cloud.roles import make_role, resource_arns
from deftunes_cloud.service_roles import for_pods
from deftunes_cloud.warehouse import Warehouse

ACCOUNTS: Mapping[str, tuple[str, ...]] = {
    **{stage: (stage,) for stage in grants.STAGES},
    # executors do what their driver may
    "transform": ("transform", "executor"),
    "airflow": ("airflow-api-server", "airflow-scheduler", "airflow-triggerer"),
}
"""Role -> components of the chart whose service accounts get it."""


class ReleaseSettings(ConfigSection):
    """The Helm release that uses the stack: pods get their roles by namespace and service account."""

    namespace: str = Field("deftunes", pattern=r"^[a-z0-9-]+$")
    # the chart calls its service accounts after the release, if that contains "deftunes"
    name: str = Field("deftunes", pattern=r"^[a-z0-9-]*deftunes[a-z0-9-]*$", max_length=35)


class Identities(pulumi.ComponentResource):
    """Roles of all stages and of Airflow, and who may take them on.

    Outputs: `role_names` by stage, and `airflow`.
    """

    def __init__(
        self,
        name: str,
        context: StackContext,
        release: ReleaseSettings,
        *,
        cluster: Cluster,
        lake: Lake,
        catalog: Catalog,
        warehouse: Warehouse,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("deftunes:cloud:Identities", name, {}, opts)
        stores = resource_arns(context, lake, catalog, warehouse.login_arn, warehouse.is_serverless)
        self.role_names: dict[str, pulumi.Output[str]] = {}
        for role_name, components in ACCOUNTS.items():
            role = make_role(
                self, f"{context.name}-{role_name}", for_pods(context), stores.apply(partial(_document, role_name))
            )
            self.role_names[role_name] = role.name
            for component in components:
                aws.eks.PodIdentityAssociation(
                    component,
                    cluster_name=cluster.cluster_name,
                    namespace=release.namespace,
                    service_account=f"{release.name}-{component}",
                    role_arn=role.arn,
                    opts=pulumi.ResourceOptions(parent=self),
                )
        self.register_outputs({"role_names": self.role_names})


def _document(name: str, stores: grants.ResourceArns) -> dict[str, object]:
    return grants.document(name, stores)

"""What a stack tells: the contract with `deftunes values` (cli/src/deftunes_cli/cloud/outputs.py has the same names).

No value of a secret: only the names under which Secrets Manager keeps them.
"""

from __future__ import annotations

import pulumi

from deftunes_cloud.base import StackContext
from deftunes_cloud.catalog import Catalog
from deftunes_cloud.cluster import Cluster
from deftunes_cloud.database import Database
from deftunes_cloud.identities import Identities
from deftunes_cloud.lake import Lake
from deftunes_cloud.network import Network
from deftunes_cloud.registry import Registry
from deftunes_cloud.secrets import Secrets
from deftunes_cloud.settings import Settings
from deftunes_cloud.warehouse import Warehouse


def export(
    context: StackContext,
    settings: Settings,
    *,
    network: Network,
    cluster: Cluster,
    registry: Registry,
    lake: Lake,
    catalog: Catalog,
    warehouse: Warehouse,
    identities: Identities,
    database: Database,
    secrets: Secrets,
) -> None:
    """Export all of it, each name once."""
    outputs = {
        "environment": context.environment,
        "region": context.region,
        "release": settings.release.model_dump(),
        "cluster_name": cluster.cluster_name,
        "placement": cluster.placement,
        "manifests": cluster.manifests,
        "images": {"registry": registry.host, "repository": registry.repository},
        "lake_url": lake.url,
        "logs_url": pulumi.Output.concat("s3://", lake.logs_bucket, "/airflow"),
        "glue_database": catalog.database,
        "redshift": {
            "host": warehouse.host,
            "port": warehouse.port,
            "database": warehouse.database,
            "workgroup": warehouse.workgroup,
            "cluster": warehouse.cluster,
            "spectrum_role": warehouse.spectrum_role_arn,
            "admin_secret": warehouse.admin_secret_arn,
            # the accounts that Redshift makes for roles that ask it for credentials
            "login": pulumi.Output.concat("IAMR:", identities.role_names["dbt"]),
            "verify_login": pulumi.Output.concat("IAMR:", identities.role_names["verify"]),
        },
        "airflow_database": {
            "host": database.address,
            "port": database.port,
            "name": database.database,
            "admin_secret": database.master_secret_arn,
        },
        "networks": {
            "vpc": network.cidr,
            "data": network.data_cidrs,
            "services": cluster.service_cidr,
            "s3": network.s3_cidrs,
            "chat": list(settings.alarms.chat_cidrs),
        },
        "shop": settings.shop.model_dump(),
        "secrets": secrets.names,
        "sources": {
            name: source.model_dump(exclude={"secrets"}) | {"secrets": secrets.of_sources[name]}
            for name, source in settings.sources.items()
        },
    }
    for name, value in outputs.items():
        pulumi.export(name, value)

"""The whole cloud: what there is, and what is handed from one part to the next. `pulumi up` makes it.

Each component is a module of deftunes_cloud with its own section of the stack's settings (Pulumi.<stack>.yaml). The
exports at the end are a contract: `deftunes values --stack STACK` makes the chart's values of them.
"""

import pulumi
import pulumi_aws as aws

from deftunes_cloud.alarms import Alarms
from deftunes_cloud.base import StackContext, tags_of
from deftunes_cloud.catalog import Catalog
from deftunes_cloud.cluster import Cluster
from deftunes_cloud.database import Database
from deftunes_cloud.identities import Identities
from deftunes_cloud.lake import Lake
from deftunes_cloud.network import Network
from deftunes_cloud.outputs import export
from deftunes_cloud.registry import Registry
from deftunes_cloud.secrets import Secrets
from deftunes_cloud.settings import read_settings
from deftunes_cloud.warehouse import Warehouse

settings = read_settings()
region = pulumi.Config("aws").require("region")
tags = {**tags_of(settings.environment), "managed_by": "pulumi"}
provider = aws.Provider("aws", region=region, default_tags={"tags": tags})
within = pulumi.ResourceOptions(provider=provider)
asked = pulumi.InvokeOptions(provider=provider)
stack = StackContext(
    environment=settings.environment,
    region=region,
    account=aws.get_caller_identity(opts=asked).account_id,
    partition=aws.get_partition(opts=asked).partition,
    is_protected=settings.protect,
)

network = Network("network", stack, settings.network, opts=within)
cluster = Cluster("cluster", stack, settings.cluster, network=network, opts=within)
registry = Registry("registry", stack, settings.registry, opts=within)
lake = Lake("lake", stack, settings.lake, opts=within)
catalog = Catalog("catalog", stack, lake_url=lake.url, opts=within)
warehouse = Warehouse(
    "warehouse", stack, settings.warehouse, network=network, cluster=cluster, lake=lake, catalog=catalog, opts=within
)
database = Database("database", stack, settings.database, network=network, cluster=cluster, opts=within)
identities = Identities(
    "identities", stack, settings.release, cluster=cluster, lake=lake, catalog=catalog, warehouse=warehouse, opts=within
)
wanted = {name: source.secrets for name, source in settings.sources.items()}
secrets = Secrets("secrets", stack, wanted, opts=within)
Alarms(
    "alarms",
    stack,
    settings.alarms,
    network=network,
    cluster=cluster,
    database=database,
    warehouse=warehouse,
    opts=within,
)

export(
    stack,
    settings,
    network=network,
    cluster=cluster,
    registry=registry,
    lake=lake,
    catalog=catalog,
    warehouse=warehouse,
    identities=identities,
    database=database,
    secrets=secrets,
)

"""What is watched, as plain data: a metric that AWS documents, a threshold, and a sentence for whoever is woken up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import pulumi

GIB = 1024**3


@dataclass(frozen=True)
class AlarmSpec:
    """One alarm: `statistic` of a metric, bad in every period of `minutes`."""

    name: str
    namespace: str
    metric: str
    dimensions: dict[str, pulumi.Input[str]]
    sign: Literal[">", "<"]
    threshold: float
    # what is wrong, and what to do
    description: str
    statistic: Literal["Average", "Maximum", "Minimum", "Sum"] = "Average"
    period: int = 300
    minutes: int = 30
    # what is idle publishes nothing; of a database, silence is the worst sign
    treat_missing: Literal["notBreaching", "breaching"] = "notBreaching"


def of_nat(gateway_ids: Mapping[str, pulumi.Input[str]]) -> list[AlarmSpec]:
    """https://docs.aws.amazon.com/vpc/latest/userguide/metrics-dimensions-nat-gateway.html"""
    return [
        AlarmSpec(
            name=f"nat-{zone}-ports",
            namespace="AWS/NATGateway",
            metric="ErrorPortAllocation",
            dimensions={"NatGatewayId": gateway},
            sign=">",
            threshold=0,
            statistic="Sum",
            minutes=15,
            description="NAT has no port left for new connections: look in the flow log for who opens so many "
            "to one address.",
        )
        for zone, gateway in gateway_ids.items()
    ]


def of_cluster(cluster_name: pulumi.Input[str]) -> list[AlarmSpec]:
    """https://docs.aws.amazon.com/eks/latest/userguide/cloudwatch.html: free, for every cluster since 1.28."""
    return [
        AlarmSpec(
            name="pods-without-machine",
            namespace="AWS/EKS",
            metric="scheduler_pending_pods_UNSCHEDULABLE",
            dimensions={"ClusterName": cluster_name},
            sign=">",
            threshold=0,
            # spot machines take minutes, not half an hour
            statistic="Minimum",
            description="Pods have found no machine for half an hour: `kubectl get events` says what they ask "
            "for; then look at the node groups' health (`aws eks describe-nodegroup`) and at the autoscaler's log.",
        )
    ]


def of_database(identifier: pulumi.Input[str]) -> list[AlarmSpec]:
    """https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html"""
    instance: dict[str, pulumi.Input[str]] = {"DBInstanceIdentifier": identifier}
    return [
        AlarmSpec(
            name="database-storage",
            namespace="AWS/RDS",
            metric="FreeStorageSpace",
            dimensions=instance,
            sign="<",
            # RDS adds storage below a tenth, which is 2 GiB of the least; it did not
            threshold=GIB,
            statistic="Minimum",
            minutes=15,
            treat_missing="breaching",
            description="Airflow's database has less than 1 GiB left: raise database.storage_max_gb, or "
            "`airflow db clean`.",
        ),
        AlarmSpec(
            name="database-cpu",
            namespace="AWS/RDS",
            metric="CPUUtilization",
            dimensions=instance,
            sign=">",
            threshold=90,
            description="Airflow's database has been at its limit for half an hour: Database Insights in "
            "CloudWatch names the query; else a larger database.instance_class.",
        ),
    ]


def of_serverless(workgroup: pulumi.Input[str], daily_rpu_hours: float) -> list[AlarmSpec]:
    """https://docs.aws.amazon.com/redshift/latest/mgmt/serverless-audit-logging.html, CloudWatch metrics."""
    return [
        AlarmSpec(
            name="warehouse-queue",
            namespace="AWS/Redshift-Serverless",
            metric="QueriesQueued",
            dimensions={"QueryType": "SELECT", "Workgroup": workgroup},
            sign=">",
            threshold=5,
            description="Queries have been waiting in Redshift for half an hour: SYS_QUERY_HISTORY names the ones "
            "in the way; else raise warehouse.max_rpu.",
        ),
        AlarmSpec(
            name="warehouse-usage",
            namespace="AWS/Redshift-Serverless",
            metric="ComputeSeconds",
            dimensions={"Workgroup": workgroup},
            sign=">",
            threshold=daily_rpu_hours * 3600,
            statistic="Sum",
            period=86400,
            minutes=1440,
            description="Redshift took more RPU-hours in a day than alarms.daily_rpu_hours: "
            "at warehouse.limit_rpu_hours it refuses queries until the month ends.",
        ),
    ]


def of_provisioned(cluster: pulumi.Input[str]) -> list[AlarmSpec]:
    """https://docs.aws.amazon.com/redshift/latest/mgmt/metrics-listing.html"""
    identified: dict[str, pulumi.Input[str]] = {"ClusterIdentifier": cluster}
    return [
        AlarmSpec(
            name="warehouse-health",
            namespace="AWS/Redshift",
            metric="HealthStatus",
            dimensions=identified,
            sign="<",
            threshold=1,
            statistic="Minimum",
            minutes=15,
            treat_missing="breaching",
            description="Redshift is not healthy or in maintenance for a quarter of an hour: the console's "
            "events say why.",
        ),
        AlarmSpec(
            name="warehouse-disk",
            namespace="AWS/Redshift",
            metric="PercentageDiskSpaceUsed",
            dimensions=identified,
            sign=">",
            threshold=80,
            description="Redshift's disks are four fifths full: SVV_TABLE_INFO names the tables; "
            "else raise warehouse.nodes.",
        ),
    ]

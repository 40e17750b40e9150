"""Budget and operational alarms: the month's cost, and what stops the platform before a task fails.

Only metrics that AWS publishes by itself; Airflow tells of failed tasks (airflow.alerts of the chart). EKS publishes
none about machines, but pods that find no machine: that is what a broken group, a lack of spot and a forgotten
autoscaler look like. The budget counts by tag: `platform` and `environment` must be activated once as cost allocation
tags, by the account that pays (docs/aws.md). Every address gets a mail to confirm.
"""

from __future__ import annotations

import json
from typing import Annotated, Any

import pulumi
import pulumi_aws as aws
from pydantic import Field

from deftunes_cloud.alarm_specs import AlarmSpec, of_cluster, of_database, of_nat, of_provisioned, of_serverless
from deftunes_cloud.base import Cidr, ConfigSection, StackContext
from deftunes_cloud.cluster import Cluster
from deftunes_cloud.database import Database
from deftunes_cloud.keys import make_key
from deftunes_cloud.network import Network
from deftunes_cloud.warehouse import Warehouse

_PUBLISHERS = ("budgets.amazonaws.com", "cloudwatch.amazonaws.com")


class AlarmSettings(ConfigSection):
    """Recipients and thresholds."""

    emails: tuple[Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$")], ...] = Field(min_length=1)
    monthly_usd: float = Field(gt=0)
    # of one day, a serverless warehouse's: three times what a month's limit of 200 allows a day
    daily_rpu_hours: float = Field(20, gt=0)
    # where the chat is that Airflow posts failed tasks to; in prod it posts only where networks are named
    chat_cidrs: tuple[Cidr, ...] = ()


class Alarms(pulumi.ComponentResource):
    """Topic, subscriptions, budget and alarms. Outputs: `topic_arn`."""

    def __init__(
        self,
        name: str,
        context: StackContext,
        settings: AlarmSettings,
        *,
        network: Network,
        cluster: Cluster,
        database: Database,
        warehouse: Warehouse,
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        super().__init__("deftunes:cloud:Alarms", name, {}, opts)
        self._context, self._child = context, pulumi.ResourceOptions(parent=self)
        self.topic_arn = self._topic(settings.emails)
        self._budget(settings.monthly_usd)
        specs = [
            *of_nat(network.nat_gateway_ids),
            *of_cluster(cluster.cluster_name),
            *of_database(database.identifier),
            *(
                of_serverless(warehouse.workgroup, settings.daily_rpu_hours)
                if warehouse.is_serverless
                else of_provisioned(warehouse.cluster)
            ),
        ]
        for spec in specs:
            self._alarm(spec)
        self.register_outputs({"topic_arn": self.topic_arn})

    def _topic(self, emails: tuple[str, ...]) -> pulumi.Output[str]:
        # AWS's own key for SNS lets neither CloudWatch nor Budgets in
        policy = json.dumps(key_policy(self._context))
        key = make_key(self, self._context, "alarms", "alarms", policy=policy, wait_days=7)
        topic = aws.sns.Topic(
            "alarms", name=f"{self._context.name}-alarms", kms_master_key_id=key.arn, opts=self._child
        )
        allowed = aws.sns.TopicPolicy(
            "alarms",
            arn=topic.arn,
            policy=topic.arn.apply(lambda arn: json.dumps(topic_policy(self._context, arn))),
            opts=self._child,
        )
        for email in sorted(set(emails)):
            aws.sns.TopicSubscription(email, topic=topic.arn, protocol="email", endpoint=email, opts=self._child)
        # whoever publishes needs the policy first: a budget is refused without it
        return allowed.arn

    def _budget(self, monthly_usd: float) -> None:
        aws.budgets.Budget(
            "monthly",
            name=f"{self._context.name}-monthly",
            budget_type="COST",
            time_unit="MONTHLY",
            limit_amount=f"{monthly_usd:.2f}",
            limit_unit="USD",
            metrics="UnblendedCost",
            filter_expression={
                "ands": [
                    {"tags": {"key": key, "values": [value], "match_options": ["EQUALS"]}}
                    for key, value in self._context.tags.items()
                ]
            },
            notifications=[
                {
                    "comparison_operator": "GREATER_THAN",
                    "notification_type": kind,
                    "threshold": percent,
                    "threshold_type": "PERCENTAGE",
                    "subscriber_sns_topic_arns": [self.topic_arn],
                }
                for kind, percent in (("ACTUAL", 80), ("FORECASTED", 100))
            ],
            opts=self._child,
        )

    def _alarm(self, spec: AlarmSpec) -> None:
        count = max(1, spec.minutes * 60 // spec.period)
        aws.cloudwatch.MetricAlarm(
            spec.name,
            name=f"{self._context.name}-{spec.name}",
            alarm_description=spec.description,
            namespace=spec.namespace,
            metric_name=spec.metric,
            dimensions=spec.dimensions,
            statistic=spec.statistic,
            comparison_operator="GreaterThanThreshold" if spec.sign == ">" else "LessThanThreshold",
            threshold=spec.threshold,
            period=spec.period,
            evaluation_periods=count,
            datapoints_to_alarm=count,
            treat_missing_data=spec.treat_missing,
            alarm_actions=[self.topic_arn],
            ok_actions=[self.topic_arn],
            opts=self._child,
        )


def key_policy(context: StackContext) -> dict[str, Any]:
    """The account administers the key; what publishes alarms may use it, on the account's behalf only."""
    return _policy(
        {
            "Sid": "Account",
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:{context.partition}:iam::{context.account}:root"},
            "Action": "kms:*",
            "Resource": "*",
        },
        {
            **_published(context),
            "Action": ["kms:GenerateDataKey*", "kms:Decrypt"],
            "Resource": "*",
        },
    )


def topic_policy(context: StackContext, topic_arn: str) -> dict[str, Any]:
    """Alarms and budgets of this account may publish, and nobody else."""
    return _policy({**_published(context), "Action": "sns:Publish", "Resource": topic_arn})


def _policy(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _published(context: StackContext) -> dict[str, Any]:
    return {
        "Sid": "Publish",
        "Effect": "Allow",
        "Principal": {"Service": list(_PUBLISHERS)},
        "Condition": {"StringEquals": {"aws:SourceAccount": context.account}},
    }

"""The alarms: somebody is told, by a topic that only AWS may publish to, of what AWS really measures."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from mocked import Built
from pydantic import ValidationError

from deftunes_cloud.alarms import Alarms, AlarmSettings
from deftunes_cloud.base import StackContext

Build = Callable[..., Built]
MINIMAL: dict[str, Any] = {"emails": ("data@shop.example",), "monthly_usd": 500}

# namespace and metric → names of dimensions, as AWS documents them: the pages are named in watches.py
DOCUMENTED = {
    ("AWS/NATGateway", "ErrorPortAllocation"): {"NatGatewayId"},
    ("AWS/EKS", "scheduler_pending_pods_UNSCHEDULABLE"): {"ClusterName"},
    ("AWS/RDS", "FreeStorageSpace"): {"DBInstanceIdentifier"},
    ("AWS/RDS", "CPUUtilization"): {"DBInstanceIdentifier"},
    ("AWS/Redshift-Serverless", "QueriesQueued"): {"QueryType", "Workgroup"},
    ("AWS/Redshift-Serverless", "ComputeSeconds"): {"Workgroup"},
    ("AWS/Redshift", "HealthStatus"): {"ClusterIdentifier"},
    ("AWS/Redshift", "PercentageDiskSpaceUsed"): {"ClusterIdentifier"},
}


def make(is_serverless: bool = True, **given: object) -> Callable[[StackContext], Alarms]:
    settings = AlarmSettings.model_validate({**MINIMAL, **given})
    # only these attributes of the other components are read
    others: dict[str, Any] = {
        "network": SimpleNamespace(nat_gateway_ids={"us-west-2a": "nat-a", "us-west-2b": "nat-b"}),
        "cluster": SimpleNamespace(cluster_name="deftunes-dev"),
        "database": SimpleNamespace(identifier="deftunes-dev-airflow"),
        "warehouse": SimpleNamespace(is_serverless=is_serverless, workgroup="work", cluster="fleet"),
    }
    return lambda context: Alarms("alarms", context, settings, **others)


def test_everybody_is_told_once(build: Build) -> None:
    built = build(make(emails=("b@shop.example", "a@shop.example", "b@shop.example")))
    told = built.all("aws.sns.TopicSubscription")
    assert sorted(each["endpoint"] for each in told) == ["a@shop.example", "b@shop.example"]
    assert {each["protocol"] for each in told} == {"email"}
    assert not built.orphans()


def test_the_topic_is_encrypted_and_closed(build: Build) -> None:
    built = build(make())
    topic = built.one("aws.sns.Topic")
    assert topic["kms_master_key_id"] == "arn:aws:kms:us-west-2:123456789012:alarms-key-id"
    assert built.one("aws.kms.Key")["enable_key_rotation"]
    (publish,) = json.loads(built.one("aws.sns.TopicPolicy")["policy"])["Statement"]
    assert publish["Principal"] == {"Service": ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]}
    assert publish["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def test_who_publishes_may_use_the_key(build: Build) -> None:
    built = build(make())
    account, publish = json.loads(built.one("aws.kms.Key")["policy"])["Statement"]
    assert account["Principal"] == {"AWS": "arn:aws:iam::123456789012:root"}
    assert set(publish["Action"]) == {"kms:Decrypt", "kms:GenerateDataKey*"}
    assert "cloudwatch.amazonaws.com" in publish["Principal"]["Service"]


def test_the_budget_counts_this_stack_only(build: Build) -> None:
    budget = build(make(monthly_usd=750.5)).one("aws.budgets.Budget")
    assert (budget["limit_amount"], budget["limit_unit"], budget["time_unit"]) == ("750.50", "USD", "MONTHLY")
    tags = {each["tags"]["key"]: each["tags"]["values"] for each in budget["filter_expression"]["ands"]}
    assert tags == {"platform": ["deftunes"], "environment": ["dev"]}
    when = {each["notification_type"]: each["threshold"] for each in budget["notifications"]}
    assert when == {"ACTUAL": 80, "FORECASTED": 100}
    assert all(each["subscriber_sns_topic_arns"] for each in budget["notifications"])


@pytest.mark.parametrize("is_serverless", [True, False])
def test_alarms_watch_what_aws_documents_and_say_what_to_do(build: Build, is_serverless: bool) -> None:
    built = build(make(is_serverless))
    alarms = built.all("aws.cloudwatch.MetricAlarm")
    for alarm in alarms:
        assert DOCUMENTED[alarm["namespace"], alarm["metric_name"]] == set(alarm["dimensions"])
        assert alarm["alarm_actions"] == alarm["ok_actions"] == [built.outputs["topic_arn"]]
        assert len(alarm["alarm_description"]) > 60
        assert alarm["alarm_description"].endswith(".")
        assert alarm["period"] * alarm["evaluation_periods"] <= 86400, "CloudWatch looks back a day"
    spaces = {alarm["namespace"] for alarm in alarms}
    assert ("AWS/Redshift-Serverless" in spaces, "AWS/Redshift" in spaces) == (is_serverless, not is_serverless)


def test_each_gateway_is_watched(build: Build) -> None:
    built = build(make())
    watched = [each["dimensions"].get("NatGatewayId") for each in built.all("aws.cloudwatch.MetricAlarm")]
    assert {each for each in watched if each} == {"nat-a", "nat-b"}


def test_a_days_limit_is_in_seconds(build: Build) -> None:
    alarm = build(make(daily_rpu_hours=10)).one("aws.cloudwatch.MetricAlarm", "warehouse-usage")
    assert (alarm["threshold"], alarm["statistic"], alarm["period"]) == (36000, "Sum", 86400)


def test_a_silent_database_is_an_alarm(build: Build) -> None:
    alarm = build(make()).one("aws.cloudwatch.MetricAlarm", "database-storage")
    assert alarm["treat_missing_data"] == "breaching"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"emails": ()}, "at least 1 item"),
        ({"emails": ("nobody",)}, "should match pattern"),
        ({"monthly_usd": 0}, "greater than 0"),
        ({"daily_rpu_hours": 0}, "greater than 0"),
    ],
)
def test_refusals(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        AlarmSettings.model_validate({**MINIMAL, **given})

"""Who gets which role, and that no value of a secret passes through the program."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from mocked import Built
from policies.rules.identities import no_deputy_of_others
from policies.rules.network import no_way_to_everywhere
from policies.rules.resource_view import ResourceView
from pydantic import ValidationError

from deftunes_cloud import grants
from deftunes_cloud.base import StackContext
from deftunes_cloud.catalog import Catalog
from deftunes_cloud.cluster import Cluster, ClusterSettings
from deftunes_cloud.identities import Identities, ReleaseSettings
from deftunes_cloud.lake import Lake, LakeSettings
from deftunes_cloud.network import Network, NetworkSettings
from deftunes_cloud.secrets import WANTED, Secrets
from deftunes_cloud.warehouse import Warehouse, WarehouseSettings

CHART = Path(__file__).parents[2] / "charts" / "deftunes" / "values.yaml"
WITHOUT_ROLE = {
    # it parses files of its image, and its pods reach no AWS
    "airflow-dag-processor",
    "airflow-setup",
    # of an evaluation, which has no AWS
    "airflow-database",
    "shop",
    "cloud",
}


def make(context: StackContext) -> Identities:
    lake = Lake("lake", context, LakeSettings())
    network = Network("network", context, NetworkSettings())
    cluster = Cluster("cluster", context, ClusterSettings(), network=network)
    catalog = Catalog("catalog", context, lake_url=lake.url)
    warehouse = Warehouse(
        "warehouse",
        context,
        WarehouseSettings(),
        network=network,
        cluster=cluster,
        lake=lake,
        catalog=catalog,
    )
    release = ReleaseSettings(namespace="music", name="deftunes-music")
    return Identities("identities", context, release, cluster=cluster, lake=lake, catalog=catalog, warehouse=warehouse)


@pytest.fixture
def identities(build: Callable[..., Built]) -> Built:
    return build(make)


def test_everything_is_a_child_of_a_component(identities: Built) -> None:
    assert not identities.orphans()


def test_every_pod_that_needs_aws_has_a_role_and_only_its_own(identities: Built) -> None:
    ours = [made for made in identities.all("aws.eks.PodIdentityAssociation") if made["namespace"] != "kube-system"]
    given = {made["service_account"]: made["role_arn"] for made in ours}
    placed = set(yaml.safe_load(CHART.read_text(encoding="utf-8"))["placement"])
    assert set(given) == {f"deftunes-music-{component}" for component in placed - WITHOUT_ROLE}
    assert {made["namespace"] for made in ours} == {"music"}
    sharing = {role: {who for who, its in given.items() if its == role} for role in given.values()}
    assert sorted(len(who) for who in sharing.values()) == [
        1,
        1,
        1,
        1,
        1,
        2,
        3,
    ]  # driver with executor; Airflow's three
    assert len(sharing) == len(grants.STAGES) + 1


def test_each_role_has_the_document_of_its_stage(identities: Built) -> None:
    context, bucket = StackContext("dev", "us-west-2", "123456789012", "aws", True), "123456789012-us-west-2"
    for stage in (*grants.STAGES, "airflow"):
        found = json.loads(identities.one("aws.iam.RolePolicy", f"deftunes-dev-{stage}")["policy"])
        expected = grants.document(
            stage,
            grants.ResourceArns(
                lake=f"arn:aws:s3:::deftunes-dev-lake-{bucket}",
                logs=f"arn:aws:s3:::deftunes-dev-logs-{bucket}",
                key=context.arn("kms", "lake-key-id"),
                region="us-west-2",
                glue=tuple(
                    context.arn("glue", of)
                    for of in ("catalog", "database/deftunes_dev_transform", "table/deftunes_dev_transform/*")
                ),
                warehouse=context.arn("redshiftserverless", "warehouse-id"),
                is_serverless=True,
            ),
        )
        assert found == expected


def test_only_eks_gives_roles_to_pods(identities: Built) -> None:
    for stage in (*grants.STAGES, "airflow"):
        trust = json.loads(identities.one("aws.iam.Role", f"deftunes-dev-{stage}")["assume_role_policy"])
        (statement,) = trust["Statement"]
        assert statement["Principal"] == {"Service": ["pods.eks.amazonaws.com"]}
        assert statement["Action"] == ["sts:AssumeRole", "sts:TagSession"]
        assert statement["Condition"] == {
            "StringEquals": {"aws:SourceAccount": "123456789012"},
            "ArnLike": {"aws:SourceArn": "arn:aws:eks:us-west-2:123456789012:cluster/deftunes-dev"},
        }


def test_no_role_serves_another_account(identities: Built) -> None:
    """Every role of the stack, by the rule of the policy pack; the cluster's ARN is that of the cluster it makes."""
    roles = identities.all("aws.iam.Role")
    assert len(roles) > len(grants.STAGES) + 3
    for role in roles:
        shown = ResourceView(
            kind="aws:iam/role:Role", name=role.name, props={"assumeRolePolicy": role["assume_role_policy"]}
        )
        assert list(no_deputy_of_others(shown)) == []
    assert identities.one("aws.eks.Cluster")["name"] == "deftunes-dev"
    spectrum = json.loads(identities.one("aws.iam.Role", "deftunes-dev-spectrum")["assume_role_policy"])
    (statement,) = spectrum["Statement"]
    users = "arn:aws:redshift:us-west-2:123456789012:dbuser:deftunes-dev/*"
    assert statement["Condition"]["StringLike"] == {"sts:ExternalId": users}
    assert "aws:SourceAccount" in statement["Condition"]["StringEqualsIfExists"]
    assert identities.one("aws.redshiftserverless.Workgroup")["workgroup_name"] == "deftunes-dev"


def test_no_group_of_the_stack_leads_to_the_whole_internet(identities: Built) -> None:
    kinds = ("aws.ec2.SecurityGroup", "aws.ec2.DefaultSecurityGroup", "aws.vpc.SecurityGroupEgressRule")
    looked = 0
    for kind in kinds:
        module, _, short = kind.removeprefix("aws.").partition(".")
        for made in identities.all(kind):
            props = {"egress": made.get("egress"), "cidrIpv4": made.get("cidr_ipv4"), "cidrIpv6": made.get("cidr_ipv6")}
            shown = ResourceView(
                kind=f"aws:{module}/{short[0].lower()}{short[1:]}:{short}", name=made.name, props=props
            )
            assert list(no_way_to_everywhere(shown)) == []
            looked += 1
    assert looked >= 5


@pytest.mark.parametrize("name", ["music", "Deftunes", "deftunes-" + "x" * 40])
def test_a_release_whose_accounts_would_have_other_names_is_refused(name: str) -> None:
    with pytest.raises(ValidationError):
        ReleaseSettings(name=name)


def test_secrets_are_names_without_values(build: Callable[..., Built]) -> None:
    built = build(lambda context: Secrets("secrets", context, {"ledger": ("token", "cert")}))
    assert built.outputs["names"] == {purpose: f"deftunes-dev/{purpose}" for purpose in WANTED}
    assert built.outputs["of_sources"] == {
        "ledger": {kind: f"deftunes-dev/source-ledger-{kind}" for kind in ("token", "cert")}
    }
    assert not built.all("aws.secretsmanager.SecretVersion")
    assert not [name for made in built for name in made.inputs if "secret_string" in name]
    assert not built.orphans()

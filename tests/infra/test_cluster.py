"""The cluster: private, logged, encrypted; spot for what can be computed again; nobody in it who is not named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from mocked import PLACE, Built
from pydantic import ValidationError

from deftunes_cloud.auto_mode import cores
from deftunes_cloud.base import StackContext
from deftunes_cloud.cluster import Cluster, ClusterSettings, service_cidr
from deftunes_cloud.network import Network, NetworkSettings
from deftunes_cloud.nodes import ADDONS

Build = Callable[..., Built]
ADMIN = "arn:aws:iam::123456789012:role/teams/platform"


def make(**given: object) -> Callable[[StackContext], Cluster]:
    settings = ClusterSettings.model_validate(given)
    return lambda context: Cluster(
        "cluster", context, settings, network=Network("network", context, NetworkSettings()), opts=None
    )


def test_private_logged_and_encrypted(build: Build) -> None:
    built = build(make())
    cluster = built.one("aws.eks.Cluster")
    reached = cluster["vpc_config"]
    assert (reached["endpoint_private_access"], reached["endpoint_public_access"]) == (True, False)
    assert "public_access_cidrs" not in reached
    assert reached["subnet_ids"] == [f"private-us-west-2{zone}-id" for zone in "abc"]
    assert set(cluster["enabled_cluster_log_types"]) == {
        "api",
        "audit",
        "authenticator",
        "controllerManager",
        "scheduler",
    }
    group = built.one("aws.cloudwatch.LogGroup", "cluster")
    assert (group["name"], group["retention_in_days"]) == ("/aws/eks/deftunes-dev/cluster", 90)
    assert cluster["encryption_config"] == {
        "provider": {"key_arn": "arn:aws:kms:us-west-2:123456789012:cluster-key-id"},
        "resources": ["secrets"],
    }
    assert built.one("aws.kms.Key", "cluster-key")["enable_key_rotation"]
    assert cluster["upgrade_policy"] == {"support_type": "STANDARD"}, "extended support costs six times as much"


def test_nobody_gets_in_by_having_made_it(build: Build) -> None:
    built = build(make())
    assert built.one("aws.eks.Cluster")["access_config"] == {
        "authentication_mode": "API",
        "bootstrap_cluster_creator_admin_permissions": False,
    }
    assert not built.all("aws.eks.AccessEntry")


def test_who_is_named_administers(build: Build) -> None:
    built = build(make(admins=(ADMIN,)))
    assert built.one("aws.eks.AccessEntry")["principal_arn"] == ADMIN
    policy = built.one("aws.eks.AccessPolicyAssociation")
    assert policy["policy_arn"] == "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy"
    assert policy["access_scope"] == {"type": "cluster"}


def test_the_api_server_answers_named_networks(build: Build) -> None:
    built = build(make(public_access_cidrs=("203.0.113.0/24",)))
    reached = built.one("aws.eks.Cluster")["vpc_config"]
    assert reached["endpoint_public_access"]
    assert reached["public_access_cidrs"] == ["203.0.113.0/24"]
    assert reached["endpoint_private_access"]


@pytest.mark.parametrize("is_protected", [True, False])
def test_protection_follows_the_stack(build: Build, is_protected: bool) -> None:
    built = build(make(), replace(PLACE, is_protected=is_protected))
    assert built.one("aws.eks.Cluster")["deletion_protection"] is is_protected
    assert built.one("aws.kms.Key", "cluster-key").protect is is_protected


def test_addons_are_pinned_and_enforce_network_policies(build: Build) -> None:
    built = build(make())
    assert {each["addon_name"]: each["addon_version"] for each in built.all("aws.eks.Addon")} == ADDONS["1.35"]
    assert built.one("aws.eks.Cluster")["bootstrap_self_managed_addons"] is False
    network = built.one("aws.eks.Addon", "vpc-cni")
    assert json.loads(network["configuration_values"]) == {"enableNetworkPolicy": "true"}
    assert network["pod_identity_associations"][0]["service_account"] == "aws-node"
    assert not [
        each.name
        for each in built.all("aws.iam.RolePolicyAttachment")
        if "AmazonEKS_CNI_Policy" in each["policy_arn"] and "-node-" in each.name
    ], "the node's role must not have the network's rights"


def test_machines(build: Build) -> None:
    built = build(make(executors={"max": 4}))
    drivers, executors = built.one("aws.eks.NodeGroup", "drivers"), built.one("aws.eks.NodeGroup", "executors")
    assert (drivers["capacity_type"], executors["capacity_type"]) == ("ON_DEMAND", "SPOT")
    assert not drivers.get("taints")
    assert executors["taints"] == [{"key": "spot", "value": "true", "effect": "NO_SCHEDULE"}]
    assert len(executors["instance_types"]) >= 3
    assert executors["scaling_config"] == {"min_size": 0, "max_size": 4, "desired_size": 0}
    assert list(executors.options.ignoreChanges) == ["scalingConfig.desiredSize"]
    assert {group["version"] for group in (drivers, executors)} == {"1.35"}
    for pool in ("drivers", "executors"):
        template = built.one("aws.ec2.LaunchTemplate", pool)
        assert template["metadata_options"] == {
            "http_endpoint": "enabled",
            "http_tokens": "required",
            "http_put_response_hop_limit": 1,
        }
        disk = template["block_device_mappings"][0]["ebs"]
        assert (disk["volume_type"], disk["encrypted"]) == ("gp3", "true")
        kinds = {each["resource_type"]: each["tags"] for each in template["tag_specifications"]}
        assert kinds.keys() == {"instance", "volume"}
        assert all(tags["platform"] == "deftunes" and tags["environment"] == "dev" for tags in kinds.values())


@pytest.mark.parametrize(
    ("types", "image"),
    [(("m7i.large", "m6a.large"), "AL2023_x86_64_STANDARD"), (("m7g.large", "c7gn.large"), "AL2023_ARM_64_STANDARD")],
)
def test_machines_get_the_image_of_their_kind(build: Build, types: tuple[str, ...], image: str) -> None:
    assert build(make(drivers={"instance_types": types})).one("aws.eks.NodeGroup", "drivers")["ami_type"] == image


def test_placement_fits_the_machines(build: Build) -> None:
    built = build(make())
    for pool, which in (("drivers", "driver"), ("executors", "executor")):
        asked = built.outputs["placement"][which]
        assert asked["nodeSelector"] == built.one("aws.eks.NodeGroup", pool)["labels"]
    assert "tolerations" not in built.outputs["placement"]["driver"]
    assert built.outputs["placement"]["executor"]["tolerations"] == [
        {"key": "spot", "operator": "Equal", "value": "true", "effect": "NoSchedule"}
    ]
    hints = {each.name: each["tag"] for each in built.all("aws.autoscaling.Tag")}
    assert hints["executors-label"]["key"].endswith("node-template/label/deftunes/pool")
    assert hints["executors-taint"]["value"] == "true:NoSchedule"


def test_the_autoscaler_resizes_this_cluster_only(build: Build) -> None:
    built = build(make())
    document = json.loads(built.one("aws.iam.RolePolicy", "deftunes-dev-autoscaler")["policy"])
    writes = [each for each in document["Statement"] if each["Sid"] == "Resize"]
    tag = "aws:ResourceTag/k8s.io/cluster-autoscaler/deftunes-dev"
    assert [each["Condition"] for each in writes] == [{"StringEquals": {tag: "owned"}}]
    reads = next(each for each in document["Statement"] if each["Sid"] == "Look")
    assert all(action.split(":")[1].startswith(("Describe", "Get")) for action in reads["Action"])
    who = built.one("aws.eks.PodIdentityAssociation", "autoscaler")
    assert (who["namespace"], who["service_account"]) == ("kube-system", "cluster-autoscaler")


def test_auto_mode_is_whole(build: Build) -> None:
    built = build(make(nodes="auto", executors={"max": 4}))
    cluster = built.one("aws.eks.Cluster")
    assert cluster["compute_config"]["node_pools"] == ["general-purpose", "system"]
    assert cluster["storage_config"]["block_storage"]["enabled"]
    assert cluster["kubernetes_network_config"]["elastic_load_balancing"]["enabled"]
    assert not cluster["bootstrap_self_managed_addons"]
    for kind in ("aws.eks.NodeGroup", "aws.eks.Addon", "aws.ec2.LaunchTemplate"):
        assert not built.all(kind), "that is AWS's there"
    switch, pool = built.outputs["manifests"]["items"]
    assert switch["data"] == {"enable-network-policy-controller": "true"}
    assert pool["spec"]["limits"] == {"cpu": "16"}
    spec = pool["spec"]["template"]["spec"]
    executor = built.outputs["placement"]["executor"]
    assert executor["tolerations"][0]["key"] == spec["taints"][0]["key"]
    assert {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["spot"]} in spec["requirements"]
    assert executor["nodeSelector"] == {"karpenter.sh/capacity-type": "spot"}


@pytest.mark.parametrize("nodes", ["managed", "auto"])
def test_children_have_their_parent(build: Build, nodes: str) -> None:
    built = build(make(nodes=nodes, admins=(ADMIN,)))
    assert not built.orphans()
    assert built.outputs["cluster_name"] == "deftunes-dev"
    assert built.outputs["security_group_id"] == "sg-cluster"
    assert (
        built.outputs["service_cidr"] == built.one("aws.eks.Cluster")["kubernetes_network_config"]["service_ipv4_cidr"]
    )


def test_services_have_addresses_of_their_own() -> None:
    assert service_cidr("10.20.0.0/16") == "172.20.0.0/16"
    assert service_cidr("172.20.0.0/18") == "10.100.0.0/16"


@pytest.mark.parametrize(("name", "count"), [("m7i.large", 2), ("m5.xlarge", 4), ("r7i.12xlarge", 48)])
def test_cores(name: str, count: int) -> None:
    assert cores(name) == count


def test_cores_of_odd_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"t3.medium: expected a size of large, xlarge"):
        cores("t3.medium")


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"public_access_cidrs": ("0.0.0.0/0",)}, "must name your networks, found 0.0.0.0/0, which is everybody"),
        ({"public_access_cidrs": ("0.0.0.0/1", "128.0.0.0/1")}, "must name your networks"),
        ({"version": "1.33"}, "cluster.version 1.33 has no add-ons in nodes.py, which knows 1.35, 1.34"),
        ({"version": "latest"}, "should match pattern"),
        ({"admins": ("arn:aws:sts::123456789012:assumed-role/x/y",)}, "should match pattern"),
        ({"admins": ("arn:aws:iam::123456789012:root",)}, "should match pattern"),
        ({"drivers": {"min": 4, "max": 3}}, r"max must be at least min \(4\), found 3"),
        ({"drivers": {"min": 0}}, "greater than or equal to 1"),
        ({"executors": {"instance_types": ("m5.xlarge",)}}, "at least 3 items"),
        (
            {"drivers": {"instance_types": ("m7i.large", "m7g.large")}},
            "all be x86 or all Graviton, found m7i.large, m7g.large",
        ),
        ({"nodes": "auto", "drivers": {"min": 2}}, "says nothing to nodes auto"),
        ({"nodes": "fargate"}, "'managed' or 'auto'"),
    ],
)
def test_refusals(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ValidationError, match=sentence):
        ClusterSettings.model_validate(given)

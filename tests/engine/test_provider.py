"""What the stand-in does beside making resources: default tags, nested computed values, refusals, policy packs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pulumi
import pulumi_aws as aws
import pytest
from program import Secret, Stack

CONFIG = {"owner": "data", "password": Secret("tr0ub4dor&3"), "subnets": ["subnet-a", "subnet-b"], "role": "eks"}
PACK = """
from pulumi_policy import EnforcementLevel, PolicyPack, ResourceValidationPolicy

def closed(args, report):
    if args.resource_type == "aws:s3/bucket:Bucket" and not args.props.get("tags", {}).get("owner"):
        report("a bucket needs an owner")

PolicyPack("rules", policies=[
    ResourceValidationPolicy("bucket-owner", "buckets have owners", closed, EnforcementLevel.MANDATORY),
])
"""


def program() -> None:
    """A cluster and a database, by a provider of the program's own."""
    config = pulumi.Config()
    provider = aws.Provider("west", region="eu-west-1", default_tags={"tags": {"owner": config.require("owner")}})
    by = pulumi.ResourceOptions(provider=provider)
    cluster = aws.eks.Cluster(
        "cluster",
        name="deftunes",
        role_arn=f"arn:aws:iam::123456789012:role/{config.require('role')}",
        vpc_config={"subnet_ids": config.require_object("subnets")},
        opts=by,
    )
    database = aws.rds.Instance(
        "songs",
        identifier="songs",
        engine="postgres",
        instance_class="db.t4g.micro",
        username="songs",
        password=config.require_secret("password"),
        opts=by,
    )
    pulumi.export("group", cluster.vpc_config.cluster_security_group_id)
    pulumi.export("issuer", cluster.identities[0].oidcs[0].issuer)
    pulumi.export("dsn", pulumi.Output.concat("postgresql://songs:", database.password, "@", database.endpoint))


@pytest.fixture(scope="module")
def cloud(stack: Callable[..., Stack]) -> Stack:
    """The program's stack, up."""
    made = stack(program, CONFIG)
    made.up()
    return made


def known(cloud: Stack, name: str) -> dict[str, object]:
    (found,) = [item["outputs"] for item in cloud.resources() if item["urn"].endswith(f"::{name}")]
    return dict(found)


def test_computed_blocks_survive_an_update(cloud: Stack) -> None:
    before = cloud.up().outputs
    assert before["group"].startswith("sg-")
    assert before["issuer"].startswith("https://oidc.eks.eu-west-1.amazonaws.com/id/")
    cloud.config = {**CONFIG, "subnets": ["subnet-a", "subnet-c"]}
    step = cloud.preview().step("cluster")
    assert (step.op, step.paths) == ("update", {"vpcConfig.subnetIds[1]": "update"})
    assert cloud.up().outputs == before


def test_a_secret_stays_one_in_what_is_computed_of_it(cloud: Stack) -> None:
    run = cloud.up()
    assert run.outputs["dsn"].startswith("postgresql://songs:tr0ub4dor&3@songs.")
    assert "dsn" in run.secret_outputs
    assert [file for file in cloud.files() if b"tr0ub4dor" in file.read_bytes()] == []


def test_default_tags_are_on_everything_and_their_change_is_an_update(cloud: Stack) -> None:
    assert known(cloud, "cluster")["tagsAll"] == {"owner": "data"}
    cloud.config = {**cloud.config, "owner": "finance"}
    run = cloud.up()
    assert run.of("update") == ["cluster", "songs"]
    assert run.step("cluster").changed == ("tagsAll",)
    assert known(cloud, "songs")["tagsAll"] == {"owner": "finance"}
    assert cloud.up().changes == ()


def test_a_chosen_name_that_stays_means_delete_before_replace(cloud: Stack) -> None:
    cloud.config = {**cloud.config, "role": "other"}
    ops = [step.op for step in cloud.preview().steps if step.name == "cluster"]
    assert ops == ["delete-replaced", "replace", "create-replacement"]


def test_unknown_types_are_noted_and_unknown_functions_refused(stack: Callable[..., Stack]) -> None:
    def exotic() -> None:
        aws.xray.Group("exotic", group_name="exotic", filter_expression="true")

    def nosy() -> None:
        aws.ec2.get_ami(most_recent=True, owners=["amazon"])

    made = stack(exotic)
    assert made.up().of("create") == ["exotic"]
    assert made.standin.memory.unknown_types == {"aws:xray/group:Group"}
    made.program = nosy
    run = made.preview(refused=True)
    assert "write its answer into tests/engine/standin/lookups.py" in run.said
    assert made.standin.memory.unknown_functions == {"aws:ec2/getAmi:getAmi"}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy pack in Python."""
    folder = tmp_path_factory.mktemp("pack")
    (folder / "PulumiPolicy.yaml").write_text("runtime: python\nversion: 0.0.1\n")
    (folder / "__main__.py").write_text(PACK)
    return folder


def test_a_policy_pack_refuses_an_inline_program(stack: Callable[..., Stack], pack: Path) -> None:
    tags: dict[str, str] = {}
    made = stack(lambda: aws.s3.Bucket("lake", tags=tags) and None, policies=[pack])
    run = made.up(refused=True)
    (violation,) = run.violations
    assert (violation.policy, violation.level) == ("bucket-owner", "mandatory")
    assert "a bucket needs an owner" in violation.message
    assert made.standin.memory.calls == []
    tags["owner"] = "data"
    run = made.up()
    assert run.of("create") == ["lake"]
    assert run.packs == {"rules": "0.0.1"}

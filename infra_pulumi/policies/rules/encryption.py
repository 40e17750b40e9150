"""Encryption at rest: whatever keeps data says so, and names a key of ours where one can be named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from .resource_view import UNKNOWN, ResourceView, Rule, blocks, is_on, is_set, texts, violation


@dataclass(frozen=True)
class _Demand:
    where: str
    expected: str
    is_met: Callable[[ResourceView], bool]


def _switch(name: str) -> _Demand:
    return _Demand(name, "true", lambda resource: is_on(resource.props.get(name)))


def _key(name: str) -> _Demand:
    return _Demand(name, "the ARN of a KMS key", lambda resource: is_set(resource.props.get(name)))


def _secrets_encrypted(cluster: ResourceView) -> bool:
    config = cluster.props.get("encryptionConfig")
    return config is UNKNOWN or any(
        "secrets" in texts(block.get("resources"))
        and any(is_set(provider.get("keyArn")) for provider in blocks(block.get("provider")))
        for block in blocks(config)
    )


def _images_encrypted(repository: ResourceView) -> bool:
    config = repository.props.get("encryptionConfigurations", repository.props.get("encryptionConfiguration"))
    return config is UNKNOWN or any(
        block.get("encryptionType") in ("KMS", "KMS_DSSE", UNKNOWN) for block in blocks(config)
    )


def _disks_encrypted(template: ResourceView) -> bool:
    """Each named disk; and there is one, since an unnamed one is as the image's maker left it."""
    mappings = template.props.get("blockDeviceMappings")
    if mappings is UNKNOWN:
        return True
    disks = [ebs for mapping in blocks(mappings) for ebs in blocks(mapping.get("ebs"))]
    return bool(disks) and all(is_on(disk.get("encrypted")) for disk in disks)


def _queue_encrypted(queue: ResourceView) -> bool:
    return is_set(queue.props.get("kmsMasterKeyId")) or is_on(queue.props.get("sqsManagedSseEnabled"))


DEMANDS: Mapping[str, _Demand] = {
    "aws:rds/instance:Instance": _switch("storageEncrypted"),
    "aws:rds/cluster:Cluster": _switch("storageEncrypted"),
    "aws:redshift/cluster:Cluster": _switch("encrypted"),
    "aws:redshiftserverless/namespace:Namespace": _key("kmsKeyId"),
    "aws:eks/cluster:Cluster": _Demand(
        "encryptionConfig", "resources [secrets] with a provider.keyArn", _secrets_encrypted
    ),
    "aws:ecr/repository:Repository": _Demand("encryptionConfigurations", "encryptionType KMS", _images_encrypted),
    "aws:ec2/launchTemplate:LaunchTemplate": _Demand(
        "blockDeviceMappings", "every disk, and at least the root's, with ebs.encrypted true", _disks_encrypted
    ),
    "aws:ebs/volume:Volume": _switch("encrypted"),
    "aws:efs/fileSystem:FileSystem": _switch("encrypted"),
    "aws:sns/topic:Topic": _key("kmsMasterKeyId"),
    "aws:sqs/queue:Queue": _Demand("kmsMasterKeyId", "a key, or sqsManagedSseEnabled", _queue_encrypted),
}
"""Kind -> what must be said in it. CloudWatch's log groups are not here: AWS encrypts every one, with its own key when
none is given, and logs hold no rows (the stages log counts and names)."""


def is_encrypted(resource: ResourceView) -> Iterator[str]:
    """What keeps data says that it is encrypted."""
    demand = DEMANDS.get(resource.kind)
    if demand is not None and not demand.is_met(resource):
        yield violation(
            resource,
            where=demand.where,
            expected=demand.expected,
            found=resource.props.get(demand.where),
            do="Encrypt it now: most services cannot do so later without making it anew",
        )


def key_rotates(resource: ResourceView) -> Iterator[str]:
    """A key of ours is made anew every year, while what it encrypted stays readable."""
    if (
        resource.kind == "aws:kms/key:Key"
        and resource.props.get("customerMasterKeySpec", "SYMMETRIC_DEFAULT") in ("SYMMETRIC_DEFAULT", UNKNOWN)
        and not is_on(resource.props.get("enableKeyRotation"))
    ):
        yield violation(
            resource,
            where="enableKeyRotation",
            expected="true",
            found=resource.props.get("enableKeyRotation"),
            do="Turn it on: it costs a dollar a month and changes nothing for readers",
        )


RULES = (
    Rule("encrypted-at-rest", "What keeps data keeps it encrypted", is_encrypted),
    Rule("key-rotates", "KMS keys rotate", key_rotates),
)

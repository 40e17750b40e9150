"""For each rule of the policy pack what it must refuse, and what looks much the same and is right.

Data for test_policies.py: rule -> (refused, passed), each a list of (kind, properties, options of `ResourceView`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from policies.rules.resource_view import UNKNOWN

Case = tuple[str, dict[str, Any], dict[str, Any]]

TAGS = {"platform": "deftunes", "environment": "prod", "managed_by": "pulumi"}
LOCKS = dict.fromkeys(("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets"), True)
ARN = "arn:aws:s3:::deftunes-prod-lake"
BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
ENCRYPTION = "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration"


def of(kind: str, options: Mapping[str, Any] | None = None, /, **props: Any) -> Case:
    """`of("s3.Bucket", acl="private")`: a resource, its kind as the program spells it."""
    module, _, name = kind.partition(".")
    return f"aws:{module}/{name[0].lower()}{name[1:]}:{name}", props, dict(options or {})


def document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(action: Any, resource: Any = None, **more: Any) -> dict[str, Any]:
    named = {} if resource is None else {"Resource": resource}
    return {"Effect": "Allow", "Action": action, **named, **more}


def trust(service: str, condition: Mapping[str, Any]) -> str:
    return document(allow("sts:AssumeRole", Principal={"Service": service}, Condition=condition))


def sse(algorithm: Any) -> list[dict[str, Any]]:
    return [{"applyServerSideEncryptionByDefault": {"sseAlgorithm": algorithm}}]


def disks(**ebs: Any) -> list[dict[str, Any]]:
    return [{"deviceName": "/dev/xvda", "ebs": ebs}]


ALL_USERS = [{"grantee": {"type": "Group", "uri": "http://acs.amazonaws.com/groups/global/AllUsers"}}]
TLS_ONLY = {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [ARN, f"{ARN}/*"]}
KEY_OWNER = allow("kms:*", "*", Principal={"AWS": "arn:aws:iam::123456789012:root"})
EVERYTHING = document(allow("*", "*"))
SECRETS = [{"resources": ["secrets"], "provider": {"keyArn": "arn:aws:kms:us-west-2:123456789012:key/1"}}]
PROVIDER = {"provider": {"defaultTags": json.dumps({"tags": TAGS})}}
IN_DEV = {"provider": {"defaultTags": json.dumps({"tags": TAGS | {"environment": "dev"}})}}
STAGING = {"provider": {"defaultTags": {"tags": TAGS | {"environment": "staging"}}}}
PROTECTED = PROVIDER | {"is_protected": True}

CASES: Mapping[str, tuple[list[Case], list[Case]]] = {
    "public-access-block-complete": (
        [of("s3.BucketPublicAccessBlock", **(LOCKS | {lock: False})) for lock in LOCKS]
        + [of("s3.BucketPublicAccessBlock"), of("s3.BucketPublicAccessBlock", blockPublicAcls=True)],
        [of("s3.BucketPublicAccessBlock", **LOCKS), of("s3.BucketPublicAccessBlock", **dict.fromkeys(LOCKS, UNKNOWN))],
    ),
    "no-public-acl": (
        [
            of("s3.Bucket", acl="public-read"),
            of("s3.BucketAcl", acl="public-read-write"),
            of("s3.BucketAcl", acl="authenticated-read"),
            of("s3.BucketAcl", accessControlPolicy={"grants": ALL_USERS}),
            of("s3.Bucket", grants=[{"uri": "http://acs.amazonaws.com/groups/global/AuthenticatedUsers"}]),
            of("s3.BucketObjectv2", acl="public-read"),
        ],
        [
            of("s3.Bucket"),
            of("s3.BucketAcl", acl="private"),
            of("s3.BucketAcl", acl="log-delivery-write"),
            of("s3.BucketAcl", accessControlPolicy={"grants": [{"grantee": {"type": "CanonicalUser", "id": "1"}}]}),
        ],
    ),
    "no-public-policy": (
        [
            of("s3.BucketPolicy", policy=document(allow("s3:GetObject", f"{ARN}/*", Principal="*"))),
            of("s3.BucketPolicy", policy=document(TLS_ONLY, allow("s3:GetObject", ARN, Principal={"AWS": ["*"]}))),
            of("s3.BucketPolicy", policy=document(allow("s3:GetObject", ARN, NotPrincipal={"AWS": "1"}))),
            of("kms.Key", policy=document(allow("kms:Decrypt", "*", Principal={"AWS": "*"}))),
            of("ecr.RepositoryPolicy", policy=document(allow("ecr:BatchGetImage", Principal="*"))),
            of("iam.Role", assumeRolePolicy=document(allow("sts:AssumeRole", Principal={"AWS": "*"}))),
        ],
        [
            of("s3.BucketPolicy", policy=document(TLS_ONLY)),
            of("s3.BucketPolicy", policy=UNKNOWN),
            of("kms.Key", policy=document(KEY_OWNER)),
            of("iam.Role", assumeRolePolicy=document(allow("sts:AssumeRole", Principal={"Service": "pods.eks"}))),
            # it opens a road and grants nothing
            of("ec2.VpcEndpoint", policy=document(allow("*", "*", Principal="*"))),
        ],
    ),
    "bucket-encryption-with-kms": (
        [
            of("s3.BucketServerSideEncryptionConfiguration", rules=sse("AES256")),
            of("s3.BucketServerSideEncryptionConfiguration", rules=[{"bucketKeyEnabled": True}]),
        ],
        [
            of("s3.BucketServerSideEncryptionConfiguration", rules=sse("aws:kms")),
            of("s3.BucketServerSideEncryptionConfiguration", rules=sse("aws:kms:dsse")),
            of("s3.BucketServerSideEncryptionConfiguration", rules=UNKNOWN),
        ],
    ),
    "no-star-on-star": (
        [
            of("iam.RolePolicy", policy=EVERYTHING),
            of("iam.Policy", policy=document(allow("s3:*", "*"))),
            of("iam.Policy", policy=document(allow(["s3:GetObject", "kms:*"], [ARN, "*"]))),
            of("iam.Policy", policy=document({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})),
            of("iam.Policy", policy=document({"Effect": "Allow", "Action": "s3:*", "NotResource": ARN})),
            of("iam.RolePolicy", policy=document(allow("s3:*", "arn:aws:s3:::*"))),
            of("iam.Role", inlinePolicies=[{"name": "all", "policy": EVERYTHING}]),
            of("s3.BucketPolicy", policy=document(allow("s3:*", "*", Principal={"AWS": "1"}))),
            of("iam.UserPolicy", policy=json.dumps({"Statement": allow("*", "*")})),
        ],
        [
            of("iam.RolePolicy", policy=document(allow("s3:*", f"{ARN}/*"))),
            of("iam.RolePolicy", policy=document(allow("ecr:GetAuthorizationToken", "*"))),
            of("iam.RolePolicy", policy=document({"Effect": "Deny", "Action": "*", "Resource": "*"})),
            of("iam.RolePolicy", policy=UNKNOWN),
            of("iam.Role", inlinePolicies=[{"name": "some", "policy": document(allow("s3:GetObject", f"{ARN}/*"))}]),
            of("kms.Key", policy=document(KEY_OWNER)),
        ],
    ),
    "no-administrator-policy": (
        [
            of("iam.RolePolicyAttachment", policyArn="arn:aws:iam::aws:policy/AdministratorAccess"),
            of("iam.RolePolicyAttachment", policyArn="arn:aws-cn:iam::aws:policy/AmazonS3FullAccess"),
            of("iam.Role", managedPolicyArns=["arn:aws:iam::aws:policy/PowerUserAccess"]),
        ],
        [
            of("iam.RolePolicyAttachment", policyArn="arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy"),
            of("iam.RolePolicyAttachment", policyArn=UNKNOWN),
            of("iam.Role"),
        ],
    ),
    "no-deputy-of-others": (
        [
            *(
                of("iam.Role", assumeRolePolicy=document(allow("sts:AssumeRole", Principal={"Service": service})))
                for service in (
                    "pods.eks.amazonaws.com",
                    ["glue.amazonaws.com"],
                    ["ec2.amazonaws.com", "events.amazonaws.com"],
                )
            ),
            *(
                of("iam.Role", assumeRolePolicy=trust("redshift.amazonaws.com", condition))
                for condition in (
                    {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
                    {"StringEquals": {"aws:SourceAccount": "*"}},
                    {"StringLike": {"aws:SourceArn": "*"}},
                    {"ArnLike": {"aws:SourceArn": "arn:aws:redshift:*:*:cluster/*"}},
                    {
                        "ArnLike": {
                            "aws:SourceArn": ["arn:aws:eks:us-west-2:123456789012:cluster/a", "arn:aws:eks:*:*:*"]
                        }
                    },
                    {"StringEqualsIfExists": {"aws:SourceAccount": "123456789012"}},
                    {"StringNotEquals": {"aws:SourceAccount": "123456789012"}},
                    {"Null": {"aws:SourceAccount": "false"}},
                    {"StringEquals": {"sts:ExternalId": "something"}},
                )
            ),
        ],
        [
            *(
                of("iam.Role", assumeRolePolicy=trust("pods.eks.amazonaws.com", condition))
                for condition in (
                    {"StringEquals": {"aws:SourceAccount": "123456789012"}},
                    {"StringEquals": {"aws:sourceaccount": ["123456789012"]}},
                    {"ArnLike": {"aws:SourceArn": "arn:aws:eks:us-west-2:123456789012:cluster/*"}},
                    {"StringLike": {"sts:ExternalId": "arn:aws:redshift:us-west-2:123456789012:dbuser:deftunes/*"}},
                )
            ),
            of(
                "iam.Role",
                assumeRolePolicy=document(allow("sts:AssumeRole", Principal={"Service": "ec2.amazonaws.com"})),
            ),
            of("iam.Role", assumeRolePolicy=document(allow("sts:AssumeRole", Principal={"AWS": "123456789012"}))),
            of("iam.Role", assumeRolePolicy=UNKNOWN),
            of("iam.RolePolicy", policy=document(allow("s3:GetObject", ARN))),
        ],
    ),
    "no-open-egress": (
        [
            of(kind, options, **props)
            for options in (PROVIDER, STAGING, {})
            for kind, props in (
                ("ec2.SecurityGroup", {"egress": [{"cidrBlocks": ["10.0.0.0/8", "0.0.0.0/0"]}]}),
                ("ec2.SecurityGroup", {"egress": [{"ipv6CidrBlocks": ["::/0"]}]}),
                ("ec2.SecurityGroupRule", {"type": "egress", "cidrBlocks": ["0.0.0.0/0"]}),
                ("vpc.SecurityGroupEgressRule", {"cidrIpv4": "0.0.0.0/0"}),
                ("vpc.SecurityGroupEgressRule", {"cidrIpv4": "128.0.0.0/1"}),
            )
        ],
        [
            of("vpc.SecurityGroupEgressRule", IN_DEV, cidrIpv4="0.0.0.0/0"),
            of("vpc.SecurityGroupEgressRule", PROVIDER, prefixListId="pl-1"),
            of("vpc.SecurityGroupEgressRule", PROVIDER, cidrIpv4=UNKNOWN),
            of("ec2.SecurityGroup", PROVIDER, egress=[{"cidrBlocks": ["10.0.0.0/8"]}]),
            # who comes in is another rule's
            of("vpc.SecurityGroupIngressRule", PROVIDER, cidrIpv4="0.0.0.0/0"),
        ],
    ),
    "encrypted-at-rest": (
        [
            of("rds.Instance"),
            of("rds.Cluster", storageEncrypted=False),
            of("redshift.Cluster", encrypted="false"),
            of("redshiftserverless.Namespace"),
            of("eks.Cluster"),
            of("eks.Cluster", encryptionConfig={"resources": ["other"], "provider": {"keyArn": "1"}}),
            of("ecr.Repository", encryptionConfigurations=[{"encryptionType": "AES256"}]),
            of("ec2.LaunchTemplate"),
            of("ec2.LaunchTemplate", blockDeviceMappings=[*disks(encrypted="true"), *disks(volumeSize=20)]),
            of("ebs.Volume", encrypted=False),
            of("sns.Topic"),
            of("sqs.Queue", sqsManagedSseEnabled=False),
        ],
        [
            of("rds.Instance", storageEncrypted=True),
            of("redshift.Cluster", encrypted="true"),
            of("redshiftserverless.Namespace", kmsKeyId=UNKNOWN),
            of("eks.Cluster", encryptionConfig=SECRETS[0]),
            of("eks.Cluster", encryptionConfig=SECRETS),
            of("ecr.Repository", encryptionConfigurations=[{"encryptionType": "KMS"}]),
            of("ec2.LaunchTemplate", blockDeviceMappings=disks(encrypted="true")),
            of("ec2.LaunchTemplate", blockDeviceMappings=disks(encrypted=True)),
            of("sns.Topic", kmsMasterKeyId="alias/aws/sns"),
            of("sqs.Queue", sqsManagedSseEnabled=True),
        ],
    ),
    "key-rotates": (
        [of("kms.Key"), of("kms.Key", enableKeyRotation=False)],
        [of("kms.Key", enableKeyRotation=True), of("kms.Key", customerMasterKeySpec="RSA_2048")],
    ),
    "no-open-security-group": (
        [
            of("ec2.SecurityGroup", ingress=[{"cidrBlocks": ["10.0.0.0/8", "0.0.0.0/0"]}]),
            of("ec2.SecurityGroup", ingress=[{"ipv6CidrBlocks": ["::/0"]}]),
            of("ec2.SecurityGroupRule", type="ingress", cidrBlocks=["0.0.0.0/0"]),
            of("vpc.SecurityGroupIngressRule", cidrIpv4="0.0.0.0/0"),
            of("vpc.SecurityGroupIngressRule", cidrIpv6="::/0"),
            # the internet in two halves
            of("vpc.SecurityGroupIngressRule", cidrIpv4="128.0.0.0/1"),
            of("ec2.DefaultSecurityGroup", ingress=[{"cidrBlocks": ["0.0.0.0/0"]}]),
        ],
        [
            of("ec2.SecurityGroup", ingress=[{"cidrBlocks": ["10.0.0.0/8"]}], egress=[{"cidrBlocks": ["0.0.0.0/0"]}]),
            of("ec2.SecurityGroupRule", type="egress", cidrBlocks=["0.0.0.0/0"]),
            of("vpc.SecurityGroupIngressRule", referencedSecurityGroupId="sg-1"),
            of("vpc.SecurityGroupIngressRule", cidrIpv4=UNKNOWN),
            of("vpc.SecurityGroupEgressRule", cidrIpv4="0.0.0.0/0"),
        ],
    ),
    "no-public-database": (
        [
            of("rds.Instance", publiclyAccessible=True),
            of("rds.ClusterInstance", publiclyAccessible=True),
            of("redshift.Cluster", publiclyAccessible=True),
            of("redshiftserverless.Workgroup", publiclyAccessible=True),
        ],
        [of("rds.Instance"), of("redshiftserverless.Workgroup", publiclyAccessible=False)],
    ),
    "no-open-api-server": (
        [
            of("eks.Cluster", vpcConfig={"subnetIds": ["subnet-1"]}),
            of("eks.Cluster", vpcConfig={"endpointPublicAccess": True, "publicAccessCidrs": ["0.0.0.0/0"]}),
        ],
        [
            of("eks.Cluster", vpcConfig={"endpointPublicAccess": False}),
            of("eks.Cluster", vpcConfig={"endpointPublicAccess": True, "publicAccessCidrs": ["203.0.113.0/24"]}),
        ],
    ),
    "data-is-protected": (
        [
            of(kind, options)
            for kind in ("s3.Bucket", "kms.Key", "glue.CatalogDatabase", "rds.Instance", "redshift.Cluster")
            for options in (PROVIDER, STAGING, {})
        ]
        + [of("redshiftserverless.Namespace", STAGING)],
        [
            of("s3.Bucket", PROTECTED),
            of("s3.Bucket", IN_DEV),
            of("kms.Key", tags={"environment": "dev"}),
            of("sns.Topic", PROVIDER),
        ],
    ),
    "bucket-is-not-emptied": (
        [of("s3.Bucket", IN_DEV, forceDestroy=True)],
        [of("s3.Bucket", forceDestroy=False), of("s3.Bucket"), of("ecr.Repository", forceDelete=True)],
    ),
    "tagged": (
        [
            of("s3.Bucket"),
            of("s3.Bucket", {"provider": {"region": "us-west-2"}}),
            of("s3.Bucket", {"provider": {"defaultTags": json.dumps({"tags": {"platform": "deftunes"}})}}),
            of("sns.Topic", tags={"platform": "deftunes", "environment": "prod", "managed_by": ""}),
        ],
        [
            of("s3.Bucket", PROVIDER),
            of("s3.Bucket", STAGING),
            of("s3.Bucket", tags=TAGS),
            of("s3.Bucket", tagsAll=UNKNOWN),
            of("sns.Topic", {"provider": {"defaultTags": {"tags": {"platform": "deftunes"}}}}, tags=TAGS),
        ],
    ),
}

"""Roles and policies of IAM."""

from __future__ import annotations

from typing import Any

from ..values import Properties
from .maker import Maker, given, tag_list


class Role(Maker):
    """Somebody to be."""

    service = "iam"

    def create(self, aws: Any, wanted: Properties) -> tuple[str, Properties]:
        made = aws.create_role(
            RoleName=wanted["name"],
            AssumeRolePolicyDocument=wanted["assumeRolePolicy"],
            Tags=tag_list(wanted),
            **given(
                Description=wanted.get("description"),
                MaxSessionDuration=wanted.get("maxSessionDuration"),
                Path=wanted.get("path"),
                PermissionsBoundary=wanted.get("permissionsBoundary"),
            ),
        )["Role"]
        for policy in wanted.get("managedPolicyArns") or []:
            aws.attach_role_policy(RoleName=wanted["name"], PolicyArn=policy)
        return wanted["name"], {"arn": made["Arn"], "uniqueId": made["RoleId"]}

    def update(self, aws: Any, identifier: str, old: Properties, new: Properties) -> None:
        aws.update_assume_role_policy(RoleName=identifier, PolicyDocument=new["assumeRolePolicy"])
        aws.update_role(
            RoleName=identifier,
            Description=new.get("description") or "",
            MaxSessionDuration=new.get("maxSessionDuration") or 3600,
        )
        aws.tag_role(RoleName=identifier, Tags=tag_list(new))

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        for policy in known.get("managedPolicyArns") or []:
            aws.detach_role_policy(RoleName=identifier, PolicyArn=policy)
        aws.delete_role(RoleName=identifier)

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return aws.get_role(RoleName=identifier)


class Policy(Maker):
    """A policy of its own; a change is a new default version."""

    service = "iam"

    def create(self, aws: Any, wanted: Properties) -> tuple[str, Properties]:
        made = aws.create_policy(
            PolicyName=wanted["name"],
            PolicyDocument=wanted["policy"],
            Tags=tag_list(wanted),
            **given(Description=wanted.get("description"), Path=wanted.get("path")),
        )["Policy"]
        return made["Arn"], {"arn": made["Arn"], "policyId": made["PolicyId"]}

    def update(self, aws: Any, identifier: str, old: Properties, new: Properties) -> None:
        if old.get("policy") != new["policy"]:
            aws.create_policy_version(PolicyArn=identifier, PolicyDocument=new["policy"], SetAsDefault=True)
            # AWS keeps five of them at most
            self._forget_versions(aws, identifier)
        aws.tag_policy(PolicyArn=identifier, Tags=tag_list(new))

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        self._forget_versions(aws, identifier)
        aws.delete_policy(PolicyArn=identifier)

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        return aws.get_policy(PolicyArn=identifier)

    def _forget_versions(self, aws: Any, arn: str) -> None:
        for version in aws.list_policy_versions(PolicyArn=arn)["Versions"]:
            if not version["IsDefaultVersion"]:
                aws.delete_policy_version(PolicyArn=arn, VersionId=version["VersionId"])


class RolePolicy(Maker):
    """A policy inside a role."""

    service = "iam"

    def create(self, aws: Any, wanted: Properties) -> tuple[str, Properties]:
        aws.put_role_policy(RoleName=wanted["role"], PolicyName=wanted["name"], PolicyDocument=wanted["policy"])
        return f"{wanted['role']}:{wanted['name']}", {}

    def update(self, aws: Any, identifier: str, old: Properties, new: Properties) -> None:
        self.create(aws, new)

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        aws.delete_role_policy(RoleName=known["role"], PolicyName=known["name"])

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        role, _, name = identifier.partition(":")
        return aws.get_role_policy(RoleName=role, PolicyName=name)


class Attachment(Maker):
    """A policy at a role."""

    service = "iam"

    def create(self, aws: Any, wanted: Properties) -> tuple[str, Properties]:
        role, policy = wanted["role"], wanted["policyArn"]
        aws.attach_role_policy(RoleName=role, PolicyArn=policy)
        return f"{role}/{policy}", {}

    def update(self, aws: Any, identifier: str, old: Properties, new: Properties) -> None:
        """Nothing of it can change in place."""

    def remove(self, aws: Any, identifier: str, known: Properties) -> None:
        aws.detach_role_policy(RoleName=known["role"], PolicyArn=known["policyArn"])

    def find(self, aws: Any, identifier: str, known: Properties) -> Any:
        role, _, policy = identifier.partition("/")
        attached = aws.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        return any(item["PolicyArn"] == policy for item in attached)


MAKERS: dict[str, Maker] = {
    "aws:iam/role:Role": Role(),
    "aws:iam/policy:Policy": Policy(),
    "aws:iam/rolePolicy:RolePolicy": RolePolicy(),
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": Attachment(),
}

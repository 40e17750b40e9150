"""Identities: no document that gives everything on everything, and nobody's deputy but our own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .documents import OF_IDENTITIES, OF_RESOURCES, actions, allowed, inline, resources
from .resource_view import UNKNOWN, ResourceView, Rule, texts, violation

# in a key's policy "*" is the key that it belongs to, in a queue's or repository's the account's own resource
_ABOUT_THEMSELVES = (
    "aws:kms/key:Key",
    "aws:kms/keyPolicy:KeyPolicy",
    "aws:secretsmanager/secret:Secret",
    "aws:secretsmanager/secretPolicy:SecretPolicy",
)
_ALL_ACTIONS = re.compile(r"\*+|[a-z0-9-]+:\*+", re.IGNORECASE)
# arn:aws:s3:::* is * as well
_ALL_RESOURCES = re.compile(r"\*+|arn:[^:]*:[^:]*:[^:]*:[^:]*:\*+")
_ATTACHMENTS = {
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": "policyArn",
    "aws:iam/userPolicyAttachment:UserPolicyAttachment": "policyArn",
    "aws:iam/groupPolicyAttachment:GroupPolicyAttachment": "policyArn",
    "aws:iam/policyAttachment:PolicyAttachment": "policyArn",
    "aws:iam/role:Role": "managedPolicyArns",
}
_ADMINISTRATORS = re.compile(r"arn:[^:]*:iam::aws:policy/(AdministratorAccess|PowerUserAccess|\w+FullAccess)")

# an instance's role is handed over by its owner's instance profile: EC2 sends neither account nor ARN
_SENDS_NOTHING = ("ec2",)
_ACCOUNT = re.compile(r"[0-9]{12}")
_ARN_OF_ACCOUNT = re.compile(r"arn:[^:*]+:[^:*]+:[^:]*:[0-9]{12}:.+")
_SOURCES = {"aws:sourceaccount": _ACCOUNT, "aws:sourcearn": _ARN_OF_ACCOUNT, "sts:externalid": _ARN_OF_ACCOUNT}
# an operator that is content with a key that is not there, or with another value, ties nothing
_TIES = re.compile(r"(foranyvalue:)?(string(equals|like|equalsignorecase)|arn(equals|like))", re.IGNORECASE)


def no_deputy_of_others(resource: ResourceView) -> Iterator[str]:
    """A service that takes on a role says for whom: for this account, not for whoever talks it into doing so."""
    if resource.kind != "aws:iam/role:Role":
        return
    for where, statement in allowed(resource, {resource.kind: "assumeRolePolicy"}):
        principal = statement.get("Principal")
        services = texts(principal.get("Service")) if isinstance(principal, Mapping) else []
        unbound = [service for service in services if service.split(".")[0] not in _SENDS_NOTHING]
        if unbound and not _is_tied(statement.get("Condition")):
            yield violation(
                resource,
                where=where,
                expected="a condition on aws:SourceAccount or aws:SourceArn with this account",
                found=f"{', '.join(unbound)} for anybody",
                do="Give assume_role_policy() the conditions of on_behalf_of() in grants.py",
            )


def _is_tied(condition: Any) -> bool:
    """Whether one of the conditions, all of which must hold, lets pass only what names an account."""
    if condition is UNKNOWN:
        return True
    for operator, keys in condition.items() if isinstance(condition, Mapping) else ():
        for key, value in keys.items() if isinstance(keys, Mapping) else ():
            pattern = _SOURCES.get(key.lower())
            if pattern is None or not _TIES.fullmatch(operator):
                continue
            if value is UNKNOWN or (texts(value) and all(pattern.fullmatch(text) for text in texts(value))):
                return True
    return False


def no_star_on_star(resource: ResourceView) -> Iterator[str]:
    """No statement that allows all actions, of AWS or of a service, on all resources."""
    found = [*allowed(resource, OF_IDENTITIES), *inline(resource)]
    if resource.kind not in _ABOUT_THEMSELVES:
        found += allowed(resource, OF_RESOURCES)
    for where, statement in found:
        wide = [action for action in actions(statement) if _ALL_ACTIONS.fullmatch(action)]
        if wide and any(_ALL_RESOURCES.fullmatch(name) for name in resources(statement)):
            yield violation(
                resource,
                where=where,
                expected="actions by name on ARNs of this stack",
                found=f"{', '.join(wide)} on every resource",
                do="List what the identity calls; grants.py shows how",
            )


def no_administrators(resource: ResourceView) -> Iterator[str]:
    """None of AWS's own policies that give everything, or everything of a service."""
    where = _ATTACHMENTS.get(resource.kind)
    for arn in texts(resource.props.get(where)) if where else []:
        if _ADMINISTRATORS.fullmatch(arn):
            yield violation(
                resource,
                where=str(where),
                expected="a policy with the few actions that are needed",
                found=arn,
                do="Write the document in grants.py and attach that",
            )


RULES = (
    Rule("no-star-on-star", "No identity may do everything to everything", no_star_on_star),
    Rule("no-deputy-of-others", "No service takes on a role of ours for another account", no_deputy_of_others),
    Rule("no-administrator-policy", "No identity has one of AWS's policies for administrators", no_administrators),
)

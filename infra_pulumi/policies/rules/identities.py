"""Identities: no document that gives everything on everything, neither our own nor one of AWS's."""

from __future__ import annotations

import re
from collections.abc import Iterator

from .documents import OF_IDENTITIES, OF_RESOURCES, actions, allowed, inline, resources
from .seen import Rule, Seen, complaint, texts

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


def no_star_on_star(resource: Seen) -> Iterator[str]:
    """No statement that allows all actions, of AWS or of a service, on all resources."""
    found = [*allowed(resource, OF_IDENTITIES), *inline(resource)]
    if resource.kind not in _ABOUT_THEMSELVES:
        found += allowed(resource, OF_RESOURCES)
    for where, statement in found:
        wide = [action for action in actions(statement) if _ALL_ACTIONS.fullmatch(action)]
        if wide and any(_ALL_RESOURCES.fullmatch(name) for name in resources(statement)):
            yield complaint(
                resource,
                where=where,
                expected="actions by name on ARNs of this stack",
                found=f"{', '.join(wide)} on every resource",
                do="List what the identity calls; grants.py shows how",
            )


def no_administrators(resource: Seen) -> Iterator[str]:
    """None of AWS's own policies that give everything, or everything of a service."""
    where = _ATTACHMENTS.get(resource.kind)
    for arn in texts(resource.props.get(where)) if where else []:
        if _ADMINISTRATORS.fullmatch(arn):
            yield complaint(
                resource,
                where=str(where),
                expected="a policy with the few actions that are needed",
                found=arn,
                do="Write the document in grants.py and attach that",
            )


RULES = (
    Rule("no-star-on-star", "No identity may do everything to everything", no_star_on_star),
    Rule("no-administrator-policy", "No identity has one of AWS's policies for administrators", no_administrators),
)

"""The policy pack: each rule refuses what it is there for, lets pass what is right, and the violation can be acted on.

Here as functions of a resource; tests/engine/test_policy_pack.py has the engine refuse a whole program by them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pulumi_aws
import pulumi_policy
import pytest
from policies.rules import ALL, buckets, documents, encryption, protection
from policies.rules.adapter import plain, policy
from policies.rules.resource_view import UNKNOWN, ResourceView, Rule
from policy_cases import BLOCK, CASES, ENCRYPTION, LOCKS, Case, of, sse
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

RULES = {rule.name: rule for rule in ALL}
OF_STACK = ("bucket-has-public-access-block", "bucket-has-encryption")


def seen(case: Case, name: str = "it") -> ResourceView:
    kind, props, options = case
    return ResourceView(kind=kind, name=name, props=props, urn=f"urn:{kind}::{name}", **options)


def violations(name: str, case: Case) -> list[str]:
    check = RULES[name].of_resource
    assert check is not None
    return list(check(seen(case)))


def each(passed: bool) -> Iterator[Any]:
    for name, cases in CASES.items():
        for number, case in enumerate(cases[passed]):
            yield pytest.param(name, case, id=f"{name}-{number}-{case[0].rpartition(':')[2]}")


def test_every_rule_is_proven_by_a_refusal_and_by_a_pass() -> None:
    assert CASES.keys() | set(OF_STACK) == RULES.keys()
    assert all(refused and passed for refused, passed in CASES.values())


def test_every_rule_stops_the_update() -> None:
    for rule in ALL:
        # the pack's own level, which is mandatory (__main__.py), holds
        assert policy(rule).enforcement_level is None


@pytest.mark.parametrize(("name", "case"), each(passed=False))
def test_refuses(name: str, case: Case) -> None:
    found = violations(name, case)
    assert found
    for sentence in found:
        # who, where, what was expected, what was found, what to do
        assert re.fullmatch(r"aws:\S+ 'it', \S.*: expected .+, found .+\. [A-Z].+", sentence), sentence


@pytest.mark.parametrize(("name", "case"), each(passed=True))
def test_lets_pass(name: str, case: Case) -> None:
    assert violations(name, case) == []


def refused(*stack: ResourceView) -> list[set[str]]:
    """Names of the buckets that each rule of the whole stack complains of, rule by rule."""
    found = []
    for name in OF_STACK:
        check = RULES[name].of_stack
        assert check is not None
        found.append({urn.rpartition("::")[2] for urn, _ in check(stack)})
    return found


def helper(kind: str, of_bucket: ResourceView | None, **props: Any) -> ResourceView:
    uses = {} if of_bucket is None else {"bucket": (of_bucket.urn,)}
    return ResourceView(kind=kind, name="helper", props=props, urn=f"urn:{kind}::helper", uses=uses)


def test_a_bucket_without_block_or_encryption_is_refused_even_beside_one_that_has_both() -> None:
    lake, logs = seen(of("s3.Bucket", bucket=UNKNOWN), "lake"), seen(of("s3.Bucket", bucket="logs"), "logs")
    of_lake = [helper(BLOCK, lake, bucket=UNKNOWN, **LOCKS), helper(ENCRYPTION, lake, bucket=UNKNOWN)]
    assert refused(lake, logs) == [{"lake", "logs"}, {"lake", "logs"}]
    assert refused(lake, logs, *of_lake) == [{"logs"}, {"logs"}]


def test_block_and_encryption_belong_to_a_bucket_by_its_name_too() -> None:
    logs = seen(of("s3.Bucket", bucket="logs"), "logs")
    others = [helper(BLOCK, None, bucket="other"), helper(ENCRYPTION, None, bucket="other")]
    assert refused(logs, *others) == [{"logs"}, {"logs"}]
    named = [helper(BLOCK, None, bucket="logs"), helper(ENCRYPTION, None, bucket="logs")]
    assert refused(logs, *named) == [set(), set()]


@pytest.mark.parametrize(("algorithm", "is_refused"), [("aws:kms", False), ("AES256", True)])
def test_encryption_may_be_written_into_the_bucket(algorithm: str, is_refused: bool) -> None:
    bucket = seen(of("s3.Bucket", serverSideEncryptionConfiguration={"rule": sse(algorithm)[0]}), "lake")
    assert refused(bucket)[1] == ({"lake"} if is_refused else set())


def test_what_a_preview_does_not_know_silences_neither_the_rest_nor_the_rule() -> None:
    # a rule that touches the analyzer's wrapper itself ends at the unknown description, as a mere remark
    shown = unknown_checking_proxy(
        {"description": UNKNOWN_STRING_VALUE, "ingress": [{"cidrBlocks": [UNKNOWN_STRING_VALUE, "0.0.0.0/0"]}]}
    )
    assert plain(shown) == {"description": UNKNOWN, "ingress": [{"cidrBlocks": [UNKNOWN, "0.0.0.0/0"]}]}
    assert reported("no-open-security-group", "aws:ec2/securityGroup:SecurityGroup", shown)


def reported(name: str, kind: str, props: Any) -> list[str]:
    found: list[str] = []
    options = pulumi_policy.PolicyResourceOptions(
        False, [], None, [], pulumi_policy.PolicyCustomTimeouts(0, 0, 0), [], None
    )
    args = pulumi_policy.ResourceValidationArgs(kind, props, "urn:it", "it", options, None, None, None)
    rule = policy(RULES[name])
    assert isinstance(rule, pulumi_policy.ResourceValidationPolicy)
    rule.validate(args, lambda sentence, urn: found.append(sentence))
    return found


def test_the_engine_shows_protection_provider_and_origin() -> None:
    bucket = {"acl": "public-read"}
    assert reported("no-public-acl", "aws:s3/bucket:Bucket", bucket)
    assert reported("data-is-protected", "aws:s3/bucket:Bucket", bucket)
    assert reported("tagged", "aws:s3/bucket:Bucket", bucket)
    assert not reported("tagged", "deftunes:cloud:Lake", {})


def test_a_rule_that_looks_at_nothing_is_an_error() -> None:
    with pytest.raises(TypeError, match="does neither"):
        policy(Rule("idle", "does nothing"))


def kinds() -> dict[str, set[str]]:
    """Every kind that a rule looks at, with the properties that are in the cases."""
    found: dict[str, set[str]] = {
        kind: {where} for homes in (documents.OF_IDENTITIES, documents.OF_RESOURCES) for kind, where in homes.items()
    }
    for kind in (*encryption.DEMANDS, *protection.HOLDS_DATA, *buckets.BUCKETS, BLOCK, ENCRYPTION):
        found.setdefault(kind, set())
    for refused_cases, passed_cases in CASES.values():
        for kind, props, _ in (*refused_cases, *passed_cases):
            found.setdefault(kind, set()).update(props)
    return found


@pytest.mark.parametrize(("kind", "wanted"), kinds().items())
def test_no_rule_looks_for_what_the_provider_does_not_have(kind: str, wanted: set[str]) -> None:
    # a rule with a misspelled kind or property would let everything pass
    module, name = kind.split(":")[1].split("/")[0], kind.rpartition(":")[2]
    made = getattr(getattr(pulumi_aws, module), name)
    known = inspect.signature(made._internal_init).parameters.keys() | {"tags_all"}
    assert {re.sub(r"(?=[A-Z])", "_", prop).lower() for prop in wanted} <= known

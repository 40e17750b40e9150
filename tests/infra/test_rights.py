"""The evaluator that test_grants.py and the enforced cloud believe: it agrees with another's, and refuses to guess."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from rights import Call, decide

ROWS = json.loads(Path(__file__).with_name("rights_conformance.json").read_text())
ALLOW = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}


@pytest.mark.parametrize("row", ROWS, ids=[row["why"] for row in ROWS])
def test_says_what_iam_simulate_says(row: dict[str, Any]) -> None:
    call = Call(row["action"], row["resource"], row["context"])
    assert decide([{"Statement": row["statements"]}], call) == row["verdict"]


def test_the_rows_hold_every_verdict_and_every_operator() -> None:
    assert {row["verdict"] for row in ROWS} == {"allowed", "not allowed", "forbidden"}
    used = {name for row in ROWS for statement in row["statements"] for name in statement.get("Condition", {})}
    assert used >= {"StringEquals", "StringLike", "StringNotEquals", "StringNotLike", "StringLikeIfExists", "Bool"}


def test_a_deny_in_another_document_counts() -> None:
    deny = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}
    assert decide([{"Statement": ALLOW}, {"Statement": [deny]}], Call("s3:GetObject")) == "forbidden"
    assert decide([], Call("s3:GetObject")) == "not allowed"


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (ALLOW | {"Principal": "*"}, "identity's policy, found Principal"),
        (ALLOW | {"Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}}, "IpAddress is not evaluated"),
        (ALLOW | {"Condition": {"ForAllValues:StringLike": {"aws:TagKeys": "a"}}}, "ForAllValues:StringLike is not"),
        (ALLOW | {"Resource": "arn:aws:s3:::home/${aws:username}"}, "variables are not evaluated"),
        (ALLOW | {"Effect": "allow"}, "expected Effect Allow or Deny"),
    ],
)
def test_does_not_guess(statement: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        decide([{"Statement": [statement]}], Call("s3:GetObject"))

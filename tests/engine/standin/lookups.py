"""Functions that a program asks the provider: zones, account, region, partition, policy documents.

One that is not here is refused: an invented answer would steer the program where AWS would not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from .shapes import ACCOUNT, PARTITION, SUFFIX, Place
from .values import Properties


class UnknownFunction(LookupError):
    """The stand-in has no answer to a function."""


def answer(token: str, arguments: Properties, place: Place) -> Properties:
    """The function's result. Raises UnknownFunction."""
    function = FUNCTIONS.get(token)
    if function is None:
        known = ", ".join(sorted(name.rpartition(":")[2] for name in FUNCTIONS))
        raise UnknownFunction(
            f"{token}: expected one of the functions that the stand-in answers ({known});"
            " write its answer into tests/engine/standin/lookups.py"
        )
    return {**arguments, **function(arguments, place)}


def _zones(arguments: Properties, place: Place) -> Properties:
    region = arguments.get("region") or place.region
    excluded = arguments.get("excludeNames") or []
    names = [zone for zone in (f"{region}{letter}" for letter in "abc") if zone not in excluded]
    short = region.replace("-", "")
    # a zone's id names the building, its letter does not: another account's "a" may be this one's "b"
    zone_ids = [f"{short}-az{'abc'.index(name[-1]) + 1}" for name in names]
    return {"id": region, "names": names, "zoneIds": zone_ids, "groupNames": [region], "region": region}


def _caller(_: Properties, __: Place) -> Properties:
    arn = f"arn:{PARTITION}:sts::{ACCOUNT}:assumed-role/stand-in/tests"
    return {"id": ACCOUNT, "accountId": ACCOUNT, "arn": arn, "userId": "AROASTANDIN:tests"}


def _region(arguments: Properties, place: Place) -> Properties:
    name = arguments.get("region") or arguments.get("name") or place.region
    return {
        "id": name,
        "name": name,
        "region": name,
        "description": f"stand-in of {name}",
        "endpoint": f"ec2.{name}.{SUFFIX}",
    }


def _partition(_: Properties, __: Place) -> Properties:
    return {"id": PARTITION, "partition": PARTITION, "dnsSuffix": SUFFIX, "reverseDnsPrefix": "com.amazonaws"}


def _default_tags(_: Properties, place: Place) -> Properties:
    return {"id": PARTITION, "tags": dict(place.default_tags)}


def _service_principal(arguments: Properties, place: Place) -> Properties:
    name = f"{arguments['serviceName']}.{SUFFIX}"
    return {"id": name, "name": name, "region": place.region, "suffix": SUFFIX}


def _document(arguments: Properties, _: Place) -> Properties:
    """As the provider writes it: sources' statements, its own, then overrides, which replace those of the same Sid."""
    statements: dict[str, Properties] = {}
    sources = [*(arguments.get("sourcePolicyDocuments") or []), *filter(None, [arguments.get("sourceJson")])]
    overrides = [*(arguments.get("overridePolicyDocuments") or []), *filter(None, [arguments.get("overrideJson")])]
    groups = [
        *(json.loads(text)["Statement"] for text in sources),
        [_statement(given) for given in arguments.get("statements") or []],
        *(json.loads(text)["Statement"] for text in overrides),
    ]
    for group in groups:
        for statement in [group] if isinstance(group, dict) else group:
            statements[statement.get("Sid") or f"#{len(statements)}"] = statement
    document = {
        "Version": arguments.get("version") or "2012-10-17",
        **({"Id": arguments["policyId"]} if arguments.get("policyId") else {}),
        "Statement": list(statements.values()),
    }
    minified = json.dumps(document, separators=(",", ":"))
    return {"id": "document", "json": json.dumps(document, indent=2), "minifiedJson": minified}


def _statement(given: Properties) -> Properties:
    made: Properties = {"Sid": given["sid"]} if given.get("sid") else {}
    made["Effect"] = given.get("effect") or "Allow"
    for key in ("actions", "notActions", "resources", "notResources"):
        if given.get(key):
            made[f"{key[0].upper()}{key[1:-1]}"] = _one_or_many(given[key])
    for key in ("principals", "notPrincipals"):
        if given.get(key):
            made[f"{key[0].upper()}{key[1:-1]}"] = _principals(given[key])
    for condition in given.get("conditions") or []:
        operator = made.setdefault("Condition", {}).setdefault(condition["test"], {})
        operator[condition["variable"]] = _one_or_many(condition["values"])
    return made


def _principals(given: list[Properties]) -> Any:
    if any(principal["type"] == "*" for principal in given):
        return "*"
    return {principal["type"]: _one_or_many(principal["identifiers"]) for principal in given}


def _one_or_many(values: list[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else sorted(values, reverse=True)


FUNCTIONS: dict[str, Callable[[Properties, Place], Properties]] = {
    "aws:index/getAvailabilityZones:getAvailabilityZones": _zones,
    "aws:index/getCallerIdentity:getCallerIdentity": _caller,
    "aws:index/getRegion:getRegion": _region,
    "aws:index/getPartition:getPartition": _partition,
    "aws:index/getDefaultTags:getDefaultTags": _default_tags,
    "aws:index/getServicePrincipal:getServicePrincipal": _service_principal,
    "aws:iam/getPolicyDocument:getPolicyDocument": _document,
}

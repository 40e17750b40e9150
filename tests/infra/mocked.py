"""A component built without an engine and without AWS: what it registered, with every input resolved.

built = build(lambda context: Lake("lake", context, LakeSettings()))
built.one("aws.kms.Key")["enable_key_rotation"]     # an input, by its Python name
built.one("aws.s3.Bucket", "logs").protect          # an option
built.outputs["url"]                                # a public attribute of the component
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime import mocks

from deftunes_cloud.base import StackContext

PLACE = StackContext(environment="dev", region="us-west-2", account="123456789012", partition="aws", is_protected=True)

# What AWS answers that is not an input, by the names on the wire. Text may hold {name} and other inputs.
INVENTED: dict[str, dict[str, Any]] = {
    "aws.ec2.Vpc": {"defaultSecurityGroupId": "sg-default", "mainRouteTableId": "rtb-main"},
    "aws.ecr.Repository": {"repositoryUrl": "123456789012.dkr.ecr.us-west-2.amazonaws.com/{name}"},
    "aws.ec2.VpcEndpoint": {"prefixListId": "pl-s3", "cidrBlocks": ["52.218.128.0/17"]},
    "aws.eks.Cluster": {
        "endpoint": "https://cluster.mock",
        "certificateAuthority": {"data": "bW9jaw=="},
        "vpcConfig": {"clusterSecurityGroupId": "sg-cluster"},
    },
    "aws.ec2.LaunchTemplate": {"latestVersion": 1},
    "aws.eks.NodeGroup": {"resources": [{"autoscalingGroups": [{"name": "group-of-machines"}]}]},
    "aws.rds.Instance": {
        "address": "airflow.mock",
        "port": 5432,
        "masterUserSecrets": [{"secretArn": "arn:aws:secretsmanager:us-west-2:123456789012:secret:rds-mock"}],
    },
    "aws.redshiftserverless.Workgroup": {
        "endpoints": [{"address": "warehouse.mock", "port": 5439}],
        "workgroupId": "workgroup-uuid",
    },
    "aws.redshift.Cluster": {"dnsName": "warehouse.mock", "endpoint": "warehouse.mock:5439"},
}


@dataclass(frozen=True)
class Made:
    """A registered resource. `kind` is spelled as in the program (aws.s3.Bucket), `inputs` have Python's names."""

    kind: str
    name: str
    inputs: Mapping[str, Any]
    urn: str
    parent: str
    protect: bool
    provider: str
    options: Any = field(repr=False)

    def __getitem__(self, name: str) -> Any:
        return self.inputs[name]

    def get(self, name: str, default: Any = None) -> Any:
        return self.inputs.get(name, default)

    def __contains__(self, name: object) -> bool:
        return name in self.inputs


@dataclass(frozen=True)
class Built:
    """All that was registered, in order, and what `make` returned."""

    made: tuple[Made, ...]
    value: Any
    outputs: Mapping[str, Any]

    def __iter__(self) -> Iterator[Made]:
        return iter(self.made)

    def all(self, kind: str) -> list[Made]:
        return [made for made in self.made if made.kind == kind]

    def one(self, kind: str, name: str | None = None) -> Made:
        found = [made for made in self.all(kind) if name is None or made.name == name]
        assert len(found) == 1, f"{len(found)} of {kind} {name or ''}: {[made.name for made in self.all(kind)]}"
        return found[0]

    def orphans(self) -> list[Made]:
        """Resources that are no component's child: there `parent=self` was forgotten."""
        roots = {made.urn for made in self.made if not made.kind.startswith("aws.")}
        family = set(roots)
        for made in self.made:  # in order of registration: parents come first
            if made.parent in family:
                family.add(made.urn)
        return [made for made in self.made if made.urn not in family]


def build(
    make: Callable[[StackContext], Any],
    context: StackContext = PLACE,
    *,
    config: Mapping[str, str] | None = None,
    invented: Mapping[str, Mapping[str, Any]] | None = None,
    calls: Mapping[str, Mapping[str, Any]] | None = None,
) -> Built:
    """Run `make(context)` as a Pulumi program. Raises whatever it raises.

    `invented` adds answers for a kind, `calls` for an invocation by token (aws:ec2/getAmi:getAmi).
    """
    monitor = _Monitor(context, {**INVENTED, **(invented or {})}, calls or {})
    pulumi.runtime.set_all_config(dict(config or {}))
    mocks.set_mocks(monitor.mocks, project="deftunes", stack=context.environment, preview=False, monitor=monitor)
    kept: dict[str, Any] = {}

    @mocks.test
    def program() -> pulumi.Output[Any]:
        value = make(context)
        kept["value"] = value
        public = _public(value) if isinstance(value, pulumi.ComponentResource) else {"value": value}
        return pulumi.Output.from_input(public).apply(lambda found: kept.update(outputs=found))

    program()
    made = tuple(monitor.made)
    twice = sorted({one.urn for one in made if [other.urn for other in made].count(one.urn) > 1})
    assert not twice, f"two resources of one URN, an engine refuses that: {twice}"
    return Built(made, kept["value"], kept["outputs"])


def _public(component: pulumi.ComponentResource) -> dict[str, Any]:
    return {
        name: value
        for name, value in vars(component).items()
        if not name.startswith("_") and name not in {"id", "urn"} and not isinstance(value, pulumi.Resource)
    }


class _Monitor(mocks.MockMonitor):
    """Remembers the options too, which Pulumi's own mocks do not hand on."""

    def __init__(
        self, context: StackContext, invented: Mapping[str, Mapping[str, Any]], calls: Mapping[str, Mapping[str, Any]]
    ) -> None:
        super().__init__(_Cloud(context, invented, calls))
        self.made: list[Made] = []

    def RegisterResource(self, request: Any) -> Any:
        answer = super().RegisterResource(request)
        if request.type != "pulumi:pulumi:Stack" and not request.type.startswith("pulumi:providers:"):
            inputs = mocks.rpc.deserialize_properties(request.object)
            self.made.append(
                Made(
                    kind=kind_of(request.type),
                    name=request.name,
                    inputs=pythonic(inputs),
                    urn=answer.urn,
                    parent=request.parent,
                    protect=bool(request.protect),
                    provider=request.provider,
                    options=request,
                )
            )
        return answer


class _Cloud(mocks.Mocks):
    def __init__(
        self, context: StackContext, invented: Mapping[str, Mapping[str, Any]], calls: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._context, self._invented, self._calls = context, invented, calls

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        kind = kind_of(args.typ)
        state = {
            "name": args.name,
            "keyId": f"{args.name}-id",
            "arn": self._arn(kind, args.name, args.inputs),
            **args.inputs,
        }
        return f"{args.name}-id", _merged(state, self._invented.get(kind, {}))

    def call(self, args: mocks.MockCallArgs) -> tuple[dict[str, Any], list[tuple[str, str]]]:
        region = self._context.region
        known: dict[str, Mapping[str, Any]] = {
            "aws:index/getAvailabilityZones:getAvailabilityZones": {
                "id": region,
                "names": [f"{region}{letter}" for letter in "abcd"],
                "zoneIds": [f"usw2-az{number}" for number in range(1, 5)],
                "groupNames": [region],
            },
            "aws:index/getCallerIdentity:getCallerIdentity": {
                "accountId": self._context.account,
                "arn": f"arn:aws:iam::{self._context.account}:user/mock",
            },
            "aws:index/getRegion:getRegion": {"region": region, "name": region},
            "aws:index/getPartition:getPartition": {"partition": self._context.partition, "dnsSuffix": "amazonaws.com"},
        }
        if args.token not in self._calls and args.token not in known:
            raise AssertionError(f"nothing is known about {args.token}: hand it to build() as calls=")
        return dict(self._calls.get(args.token, known.get(args.token, {}))), []

    def _arn(self, kind: str, name: str, inputs: Mapping[str, Any]) -> str:
        service = kind.split(".")[1] if kind.startswith("aws.") else "mock"
        if kind == "aws.s3.Bucket":
            return f"arn:{self._context.partition}:s3:::{inputs.get('bucket', name)}"
        if service == "iam":
            path = kind.rsplit(".", 1)[1].lower()
            return f"arn:{self._context.partition}:iam::{self._context.account}:{path}/{inputs.get('name', name)}"
        return self._context.arn(service, f"{name}-id")


def _merged(state: dict[str, Any], answers: Mapping[str, Any]) -> dict[str, Any]:
    """AWS adds to what was asked: a block that was given keeps its fields."""
    for name, answer in answers.items():
        given = state.get(name)
        if isinstance(answer, str):
            answer = answer.format_map(state)
        state[name] = {**given, **answer} if isinstance(given, dict) and isinstance(answer, dict) else answer
    return state


def kind_of(token: str) -> str:
    """`aws:s3/bucket:Bucket` → `aws.s3.Bucket`; a component's token stays as it is."""
    package, _, rest = token.partition(":")
    if package != "aws":
        return token
    module, _, name = rest.partition(":")
    return f"aws.{module.split('/')[0]}.{name}".replace("aws.index.", "aws.")


def pythonic(value: Any) -> Any:
    """Names as the program spells them, secrets opened. Keys with other characters (tags, JSON) stay."""
    if isinstance(value, Mapping):
        if "4dabf18193072939515e22adb298388d" in value:
            return pythonic(value.get("value"))
        return {_snake(key): pythonic(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [pythonic(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _snake(key: str) -> str:
    if not re.fullmatch(r"[a-z]+[A-Za-z0-9]*", key):
        return key
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", key).lower()

"""S3 and Glue that ask IAM first: the simulator's cloud, where a role's keys can do what the role's documents say.

    with enforced(REGION) as cloud:                       # a process of the main environment
        ...                                               # roles, buckets, tables, with the keys "testing"
        env = os.environ | cloud.keys_of("deftunes-dev-extract-1a2b3c4")
        subprocess.run(["deftunes-extract", ...], env=env)
        assert cloud.refused("deftunes-dev-extract-1a2b3c4") == []

moto's own enforcement (INITIAL_NO_AUTH_ACTION_COUNT) cannot do this, tried with 5.2.5: it knows no condition but
StringEquals, so everybody lists every prefix, and it judges Glue on the resource `*`, so nobody may do anything there.
Here each request becomes the calls that AWS would judge (asked.py), KMS behind S3 included, for rights.py to judge.

What it does not do: check signatures; look at policies of buckets and keys; answer 403 instead of 404 for what is not
there to somebody who may not list; judge anything but S3 and Glue (elsewhere a role's keys are refused). Of a
DeleteObjects with one key too many it refuses the whole, where AWS deletes the others.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path[:0] = [str(HERE), str(REPOSITORY / "tests" / "infra")]

from asked import Request, Unknown, calls  # noqa: E402
from listening import listening  # noqa: E402
from rights import Call, decide  # noqa: E402

ADMINISTRATOR = "testing"
"""Access key of whoever sets the scene: may do everything."""
RECORD = "/_enforced"
_SIGNED = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/aws4_request")


@dataclass(frozen=True)
class EnforcedCloud:
    """A running one."""

    endpoint: str
    region: str

    def client(self, service: str, keys: Mapping[str, str] | None = None) -> Any:
        """A boto3 client: the administrator's, or that of somebody with keys."""
        import boto3

        given = keys or {"AWS_ACCESS_KEY_ID": ADMINISTRATOR, "AWS_SECRET_ACCESS_KEY": ADMINISTRATOR}
        return boto3.client(
            service,  # type: ignore[call-overload, unused-ignore]  # the stubs want a literal
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
            aws_session_token=given.get("AWS_SESSION_TOKEN"),
        )

    def keys_of(self, role: str) -> dict[str, str]:
        """Environment of a process that is this role, given by name or ARN. Raises ClientError when there is none."""
        name = role.rpartition("/")[2]
        arn = self.client("iam").get_role(RoleName=name)["Role"]["Arn"]
        made = self.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
        return {
            "AWS_ACCESS_KEY_ID": made["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": made["SecretAccessKey"],
            "AWS_SESSION_TOKEN": made["SessionToken"],
        }

    def record(self, role: str) -> list[dict[str, str]]:
        """Each different call that was judged for a role: action, resource, verdict."""
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"{self.endpoint}{RECORD}") as answer:
            found: dict[str, list[dict[str, str]]] = json.load(answer)
        return found.get(role.rpartition("/")[2], [])

    def refused(self, role: str) -> list[str]:
        """Calls that were refused to a role."""
        judged = self.record(role)
        return [f"{one['action']} {one['resource']}" for one in judged if one["verdict"] != "allowed"]


@contextmanager
def enforced(region: str) -> Iterator[EnforcedCloud]:
    """A cloud in a process of the main environment, gone at the end. Raises RuntimeError when it does not start."""
    # AWS's own policies exist in an account; stock moto leaves them out
    command = ("python", str(HERE / "enforced.py"), "--region", region)
    with listening(*command, MOTO_IAM_LOAD_MANAGED_POLICIES="true") as told:
        yield EnforcedCloud(told["http://"], region)


class Guard:
    """In front of moto's application: lets through what the caller's role may do, and keeps a record."""

    def __init__(self, application: Any) -> None:
        self._application = application
        self._lock = threading.Lock()
        self._record: dict[str, dict[str, dict[str, str]]] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """WSGI."""
        if environ["PATH_INFO"] == RECORD:
            with self._lock:
                kept = {role: list(judged.values()) for role, judged in self._record.items()}
            start_response("200 OK", [("Content-Type", "application/json")])
            return [json.dumps(kept).encode()]
        signed = _SIGNED.search(environ.get("HTTP_AUTHORIZATION", ""))
        if environ["PATH_INFO"].startswith("/moto-api/") or (signed and signed[1] == ADMINISTRATOR):
            return self._application(environ, start_response)  # type: ignore[no-any-return]
        if signed is None:
            return _denied(start_response, environ, "s3", "a request without a signature in its headers")
        refusal = self._judge(environ, signed)
        if refusal is None:
            return self._application(environ, start_response)  # type: ignore[no-any-return]
        return _denied(start_response, environ, signed[3], refusal)

    def _judge(self, environ: dict[str, Any], signed: re.Match[str]) -> str | None:
        """What is refused, None when all is allowed."""
        holder = _role_of(signed[1])
        if holder is None:
            return f"access key {signed[1]} of nobody"
        role, documents, account = holder
        try:
            asked = calls(_request(environ, signed, account), _keys())
        except Unknown as unknown:
            self._note(role, Call(f"unknown request: {unknown}"), "not allowed")
            return f"{unknown}, which tests/engine/asked.py does not know"
        refused = []
        for call in asked:
            verdict = decide(documents, call)
            self._note(role, call, verdict)
            if verdict != "allowed":
                refused.append(str(call))
        return f"{role} is not authorized to perform: {'; '.join(refused)}" if refused else None

    def _note(self, role: str, call: Call, verdict: str) -> None:
        with self._lock:
            judged = self._record.setdefault(role, {})
            judged[f"{verdict} {call}"] = {"action": call.action, "resource": call.resource, "verdict": verdict}


def _request(environ: dict[str, Any], signed: re.Match[str], account: str) -> Request:
    body = b""
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    if environ["REQUEST_METHOD"] == "POST" and (signed[3] != "s3" or "delete" in query):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
    return Request(
        method=environ["REQUEST_METHOD"],
        path=environ["PATH_INFO"].encode("latin-1").decode(),
        query=query,
        headers={
            name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")
        },
        body=body,
        service=signed[3],
        region=signed[2],
        account=account,
    )


def _role_of(access_key: str) -> tuple[str, list[dict[str, Any]], str] | None:
    """Name, documents and account of the role whose key it is."""
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    for account, partitions in sts_backends.items():
        for assumed in partitions["aws"].assumed_roles:
            if assumed.access_key_id == access_key:
                name, iam = assumed.role_arn.rpartition("/")[2], iam_backends[account]["aws"]
                texts = [iam.get_role_policy(name, policy)[1] for policy in iam.list_role_policies(name)]
                for policy in iam.list_attached_role_policies(name)[0]:
                    texts += [version.document for version in policy.versions if version.is_default]
                return name, [json.loads(text) for text in texts], account
    return None


def _keys() -> dict[str, str]:
    """Bucket -> ARN of the KMS key of its default encryption."""
    from moto.s3.models import s3_backends

    found = {}
    for partitions in s3_backends.values():
        for name, bucket in partitions["aws"].buckets.items():
            arn = re.search(r"arn:aws:kms:[^'\"<]+", str(bucket.encryption or ""))
            if arn:
                found[name] = arn[0]
    return found


def _denied(start_response: Callable[..., Any], environ: dict[str, Any], service: str, message: str) -> Iterable[bytes]:
    """The refusal as the service words it."""
    if service == "glue":
        kind = ("Content-Type", "application/x-amz-json-1.1")
        start_response("400 Bad Request", [kind, ("x-amzn-ErrorType", "AccessDeniedException")])
        return [json.dumps({"__type": "AccessDeniedException", "Message": message}).encode()]
    start_response("403 Forbidden", [("Content-Type", "application/xml")])
    if environ["REQUEST_METHOD"] == "HEAD":
        return []
    text = message.replace("&", "&amp;").replace("<", "&lt;")
    error = f"<Error><Code>AccessDenied</Code><Message>{text}</Message></Error>"
    return [(error if service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>").encode()]


def main() -> None:
    """Serve until terminated."""
    from deftunes_simulator import cloud as simulator

    parser = argparse.ArgumentParser(description="The simulator's cloud, with IAM in front of S3 and Glue")
    parser.add_argument("--region", required=True)
    parser.add_argument("--bucket", default="lake")
    arguments = parser.parse_args()
    dispatcher = simulator.DomainDispatcherApplication
    simulator.DomainDispatcherApplication = lambda *given: Guard(dispatcher(*given))  # type: ignore[assignment, misc]
    with simulator.cloud(simulator.LOOPBACK, 0, arguments.bucket, arguments.region) as running:
        print(f"cloud at {running.endpoint}", flush=True)  # noqa: T201  # whoever started it reads this
        threading.Event().wait()


if __name__ == "__main__":
    main()

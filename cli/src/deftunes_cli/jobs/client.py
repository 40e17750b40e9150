"""The Kubernetes API as this package needs it: JSON in, JSON out, errors with a sentence on what to do.

The `kubernetes` client finds the cluster, its certificates and its tokens; bodies stay plain JSON, so that a field
which the client does not know yet still goes from the CronJob into the Job. Nothing is watched: a list every second
cannot expire (410), miss an event or hang on a half-open connection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from deftunes_contract.errors import RetryableError, StageError, UsageError
from deftunes_contract.retry import RetryPolicy

if TYPE_CHECKING:  # half a second to import: `deftunes --help` must not pay for it
    from kubernetes.client import ApiClient
    from urllib3.response import BaseHTTPResponse

Json = dict[str, Any]
TRANSIENT = frozenset({410, 429, 500, 502, 503, 504})
VERBS = {"GET": "get", "POST": "create", "DELETE": "delete"}


@dataclass(frozen=True)
class Timeouts:
    """Seconds. A test hands in shorter ones."""

    poll: float = 1.0
    connect: float = 10.0
    read: float = 30.0
    """Silence after which an answer or a log stream counts as lost; stages log every few seconds."""
    back_off: float = 0.5
    back_off_most: float = 15.0
    attempts: int = 4
    """A few seconds: a person waits for the answer."""
    attempts_following: int = 12
    """With the pauses above about two minutes: an API server's restart, not an outage."""
    start: float = 120.0
    """How long a pod may say that its image or its configuration is missing: pulls are tried again by the node."""


class NotFound(UsageError):
    """404: what was asked for is not there."""


class AlreadyExists(RetryableError):
    """409: the name is taken."""


class ConnectionLost(RetryableError):
    """The connection gave way, or the server is not itself; asking again may help."""


def object_name(text: str, what: str = "job") -> str:
    """A name of an object, when Kubernetes allows it: no name may turn a path into that of another object, or of all.

    Raises UsageError.
    """
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", text):
        raise UsageError(
            f"expected the name of a {what} (small letters, digits, dashes and dots), found {text!r}; deftunes job list"
        )
    return text


@dataclass(frozen=True)
class KubeClient:
    """One namespace of one cluster."""

    api: ApiClient
    namespace: str
    timeouts: Timeouts = Timeouts()

    def cron_jobs(self) -> list[Json]:
        """All CronJobs."""
        return self._items("/apis/batch/v1", "cronjobs")

    def cron_job(self, name: str) -> Json:
        """One CronJob. Raises NotFound."""
        return self._ask("GET", "/apis/batch/v1", "cronjobs", object_name(name))

    def jobs(self, selector: str) -> list[Json]:
        """Jobs by label."""
        return self._items("/apis/batch/v1", "jobs", labelSelector=selector)

    def job(self, name: str) -> Json:
        """One Job. Raises NotFound."""
        return self._ask("GET", "/apis/batch/v1", "jobs", object_name(name))

    def create_job(self, body: Json) -> Json:
        """Make a Job. The name is unique, so a name that is taken after a lost answer is ours."""
        name, tried = body["metadata"]["name"], 0

        def once() -> Json:
            nonlocal tried
            tried += 1
            try:
                return self._once("POST", "/apis/batch/v1", "jobs", body=body)
            except AlreadyExists:
                if tried == 1:
                    raise
                return self._once("GET", "/apis/batch/v1", "jobs", name)

        return self._with_retries(once)

    def delete_job(self, name: str) -> None:
        """Ask for a Job's end; it is there until its pods are gone. Raises NotFound."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Foreground"}
        self._ask("DELETE", "/apis/batch/v1", "jobs", object_name(name), body=body)

    def pods(self, job: str) -> list[Json]:
        """Pods of a Job, oldest first."""
        found = self._items("/api/v1", "pods", labelSelector=f"batch.kubernetes.io/job-name={object_name(job)}")
        return sorted(found, key=lambda pod: (pod["metadata"].get("creationTimestamp", ""), pod["metadata"]["name"]))

    def events(self, name: str) -> list[Json]:
        """What the cluster says of an object; nothing where we may not ask."""
        try:
            return self._items("/api/v1", "events", fieldSelector=f"involvedObject.name={name}")
        except UsageError:
            return []

    def log(self, pod: str, container: str, *, follow: bool, since: str) -> BaseHTTPResponse:
        """A pod's log with time stamps, asked for once. Raises NotFound, ConnectionLost."""
        query = {"container": container, "timestamps": "true", "follow": "true" if follow else "false"}
        if since:
            query["sinceTime"] = since
        return self._open("GET", self._path("/api/v1", "pods", pod) + "/log", query, None)

    def _items(self, group: str, kind: str, **query: str) -> list[Json]:
        found: list[Json] = self._ask("GET", group, kind, "", None, **query).get("items") or []
        return found

    def _ask(self, method: str, group: str, kind: str, name: str = "", body: Json | None = None, **query: str) -> Json:
        return self._with_retries(lambda: self._once(method, group, kind, name, body, **query))

    def _with_retries(self, once: Callable[[], Json]) -> Json:
        times = self.timeouts
        retries = RetryPolicy(times.attempts, (ConnectionLost,), initial=times.back_off, longest=times.back_off_most)
        return retries.call("the Kubernetes API", once)

    def _once(self, method: str, group: str, kind: str, name: str = "", body: Json | None = None, **query: str) -> Json:
        answer = self._open(method, self._path(group, kind, name), query, body)
        return self._json(answer)

    def _path(self, group: str, kind: str, name: str = "") -> str:
        return f"{group}/namespaces/{object_name(self.namespace, 'namespace')}/{kind}" + (f"/{name}" if name else "")

    def _open(self, method: str, path: str, query: dict[str, str], body: Json | None) -> BaseHTTPResponse:
        """Ask once. Raises the sentence for the answer's status."""
        import urllib3

        config = self.api.configuration
        headers = {"Accept": "application/json, */*", "User-Agent": "deftunes"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        self.api.update_params_for_auth(headers, [], ["BearerToken"])
        url = config.host + path + (f"?{urlencode(query)}" if query else "")
        try:
            answer: BaseHTTPResponse = self.api.rest_client.pool_manager.request(
                method,
                url,
                body=None if body is None else json.dumps(body).encode(),
                headers=headers,
                timeout=urllib3.Timeout(connect=self.timeouts.connect, read=self.timeouts.read),
                retries=False,
                preload_content=False,
            )
        except urllib3.exceptions.HTTPError as fault:
            raise ConnectionLost(
                f"expected a Kubernetes API server at {config.host}, found none ({fault}); "
                "is the cluster up and the context right? kubectl config current-context"
            ) from fault
        if answer.status < 300:
            return answer
        raise self._fault(method, path, answer)

    def _json(self, answer: BaseHTTPResponse) -> Json:
        import urllib3

        try:
            found: Json = json.loads(answer.read())
        except (urllib3.exceptions.HTTPError, ValueError, OSError) as cut:
            raise ConnectionLost(f"the answer of {self.api.configuration.host} broke off ({cut}); try again") from cut
        finally:
            answer.release_conn()
        return found

    def _fault(self, method: str, path: str, answer: BaseHTTPResponse) -> StageError:
        try:
            told = self._json(answer).get("message", "")
        except ConnectionLost:
            told = ""
        kind = path.split(f"/namespaces/{self.namespace}/")[1].split("/")
        what = f"{kind[0]}{'/log' if kind[-1] == 'log' else ''}"
        verb = VERBS[method] if len(kind) > 1 or method != "GET" else "list"
        if answer.status == 401:
            return UsageError(f"{self.api.configuration.host} does not know who you are (401); log in again")
        if answer.status == 403:
            return UsageError(
                f"you may not {verb} {what} in namespace {self.namespace} (403: {told or answer.reason}); ask for a "
                f"Role with verb {verb} on {what}, or choose another --context or --namespace"
            )
        if answer.status == 404:
            return NotFound(
                f"{'/'.join(kind[:2])} is not in namespace {self.namespace}; deftunes job list shows what is"
            )
        if answer.status == 409:
            return AlreadyExists(f"{what}: {told or 'the name is taken'}; try again")
        if answer.status in TRANSIENT:
            return ConnectionLost(
                f"{self.api.configuration.host} answered {answer.status} to {verb} {what} ({told}); try again"
            )
        return UsageError(f"the cluster refused to {verb} {what} ({answer.status}): {told or answer.reason}")


def connect(context: str, namespace: str, timeouts: Timeouts | None = None) -> KubeClient:
    """The cluster of a kubeconfig context, or the one this pod runs in. Raises UsageError."""
    from kubernetes import client, config

    settings, chosen = client.Configuration(), ""
    try:
        contexts, current = config.list_kube_config_contexts()
        entry = next((one for one in contexts if one["name"] == context), None) if context else current
        if entry is None:
            known = ", ".join(one["name"] for one in contexts)
            raise UsageError(f"--context {context}: expected one of {known}; kubectl config get-contexts shows them")
        config.load_kube_config(context=entry["name"], client_configuration=settings)
        chosen = entry["context"].get("namespace", "")
    except config.ConfigException as missing:
        try:
            if context:
                raise missing
            config.load_incluster_config(client_configuration=settings)
        except config.ConfigException:
            raise UsageError(
                f"expected a cluster in KUBECONFIG or ~/.kube/config, found none ({missing}); "
                "set KUBECONFIG, and check with kubectl config current-context"
            ) from missing
        chosen = _own_namespace()
    return KubeClient(client.ApiClient(settings), namespace or chosen or "default", timeouts or Timeouts())


def _own_namespace() -> str:
    from pathlib import Path

    try:
        return Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace").read_text(encoding="utf-8").strip()
    except OSError:
        return ""

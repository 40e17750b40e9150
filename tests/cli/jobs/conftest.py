"""A stand-in of the Kubernetes API on loopback, to which the real client talks over real sockets.

It hides: authentication and TLS, admission (defaults, quota, pod security), the Job controller (a test moves Jobs and
pods by hand), the kubelet's own log rotation, and foreground deletion by the garbage collector. tests/e2e has those.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes.client import ApiClient, Configuration

from deftunes_cli.jobs.client import KubeClient, Timeouts

Json = dict[str, Any]
FAST = Timeouts(
    poll=0.02, connect=2, read=0.3, back_off=0.01, back_off_most=0.05, attempts=3, attempts_following=20, start=0.2
)
NAMESPACE = "music"


class Stream:
    """One answer to a log request: lines, then an orderly end, a cut, or silence."""

    def __init__(self, text: str, end: str = "whole", then: Callable[[], None] | None = None) -> None:
        self.text, self.end, self.then = text, end, then


class World:
    """What the API serves. A test writes it; `faults` are statuses answered first, by path ending."""

    def __init__(self) -> None:
        self.cron_jobs: dict[str, Json] = {}
        self.jobs: dict[str, Json] = {}
        self.pods: list[Json] = []
        self.events: list[Json] = []
        self.streams: dict[str, list[Stream]] = {}
        self.faults: list[tuple[str, str, int]] = []
        self.asked: list[str] = []
        self.over = threading.Event()

    def pod(self, name: str, state: Json, **status: object) -> Json:
        """Put a pod of job j, in place of an older one of that name."""
        self.pods = [one for one in self.pods if one["metadata"]["name"] != name]
        pod = {
            "metadata": {"name": name, "creationTimestamp": f"2020-01-01T00:00:0{len(self.pods)}Z"},
            "status": {"containerStatuses": [{"name": "stage", "state": state}], **status},
        }
        self.pods = [*self.pods, pod]
        return pod

    def end(self, kind: str, reason: str = "", message: str = "") -> None:
        """The Job controller's last word on job j."""
        condition = {"type": kind, "status": "True", "reason": reason, "message": message}
        self.jobs["j"]["status"] = {"conditions": [condition]}


def _handler(world: World) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None: ...

        def do_GET(self) -> None:
            path = urlsplit(self.path).path
            world.asked.append(self.path)
            if self._faulty("GET", path):
                return
            *_, kind, name = path.split("/")
            if name == "log":
                self._log(path.split("/")[-2])
            elif name in ("cronjobs", "jobs", "pods", "events"):
                items = {"cronjobs": list(world.cron_jobs.values()), "jobs": list(world.jobs.values())}
                self._json(200, {"items": items.get(name, getattr(world, name) if name in ("pods", "events") else [])})
            else:
                found = {"cronjobs": world.cron_jobs, "jobs": world.jobs}[kind].get(name)
                self._json(200, found) if found else self._json(404, {"message": f"{name} not found"})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            name = body["metadata"]["name"]
            if name in world.jobs:
                self._json(409, {"message": "already exists"})
                return
            late = [one for one in world.faults if one[0] == "POST" and one[2] == 504]
            if not late and self._faulty("POST", self.path):
                return
            world.jobs[name] = body
            if not (late and self._faulty("POST", self.path)):
                self._json(201, body)

        def do_DELETE(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            world.asked.append(f"DELETE {self.path}")
            found = world.jobs.pop(self.path.split("/")[-1], None)
            self._json(200, {}) if found else self._json(404, {"message": "not found"})
            # the pods end a little later
            threading.Timer(0.1, world.pods.clear).start()

        def _faulty(self, method: str, path: str) -> bool:
            for fault in world.faults:
                if fault[0] == method and path.endswith(fault[1]):
                    world.faults.remove(fault)
                    if fault[2] == 0:  # an API server that goes away
                        self.close_connection = True
                    else:
                        self._json(fault[2], {"message": "said the stand-in"})
                    return True
            return False

        def _json(self, status: int, body: Json) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _log(self, pod: str) -> None:
            streams = world.streams.get(pod, [])
            if not streams:
                self._json(404, {"message": f"pod {pod} not found"})
                return
            stream = streams.pop(0) if len(streams) > 1 else streams[0]
            since = parse_qs(urlsplit(self.path).query).get("sinceTime", [""])[0][:19]
            text = "".join(line for line in stream.text.splitlines(keepends=True) if line[:19] >= since)
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            data = text.encode()
            if data:
                self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            if stream.then:
                stream.then()
            if stream.end == "whole":
                self.wfile.write(b"0\r\n\r\n")
            elif stream.end == "stall":
                world.over.wait(5)
            self.close_connection = stream.end != "whole"

    return Handler


@pytest.fixture
def world() -> World:
    made = World()
    made.jobs["j"] = {"metadata": {"name": "j"}, "status": {"active": 1}}
    return made


@pytest.fixture
def cluster(world: World) -> Iterator[KubeClient]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(world))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    settings = Configuration()
    settings.host = f"http://127.0.0.1:{server.server_port}"
    yield KubeClient(ApiClient(settings), NAMESPACE, FAST)
    world.over.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def stream() -> type[Stream]:
    return Stream

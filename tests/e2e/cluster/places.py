"""Where the cluster keeps what it makes: binaries in the user's cache, everything that lives in a state folder."""

from __future__ import annotations

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "deftunes" / "cluster"
BIN = _CACHE / "bin"
"""Binaries built from Go modules: kept, so that the next `make cluster-up` takes seconds."""
ROOTFS = _CACHE / "bookworm.tar"
"""Debian's root file system that images are based on here."""

STATE = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "deftunes" / "cluster"
"""Certificates, etcd's data, containers, logs; gone with `make cluster-down`."""
LOCK = Path("/run/deftunes-cluster.lock")
"""Held by whoever changes the cluster: two at once would rewrite each other's configuration under running programs."""
RUN = Path("/run/deftunes-cluster")
"""Sockets, whose paths must be short, and the pids of what was started."""
LOGS = STATE / "logs"
KUBECONFIG = STATE / "admin.conf"

KUBERNETES = "v1.34.4"
"""The last minor whose kubelet runs on cgroup v1 as well."""
BRIDGE = "deftunes0"
GATEWAY = "10.244.0.1"
"""The node's address: the bridge that pods are on and nothing outside this machine reaches."""
POD_CIDR = "10.244.0.0/24"
SERVICE_CIDR = "10.96.0.0/16"
NODE = "deftunes-node"
CONTAINERD = RUN / "containerd.sock"
BUILDKIT = RUN / "buildkitd.sock"
PAUSE = "deftunes.local/pause:1"

"""A single-node Kubernetes from ordinary packages, on this machine and for nobody else.

    python tests/e2e/cluster tools    install and build what it is made of (once, some fifteen minutes)
    python tests/e2e/cluster up       start it; what runs already is left alone
    python tests/e2e/cluster images   build the repository's images into it
    python tests/e2e/cluster status   what runs
    python tests/e2e/cluster down     stop what `up` started and remove its state; caches stay

kubectl afterwards: export KUBECONFIG=~/.local/state/deftunes/cluster/admin.conf
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import time

import builds
import control_plane
import daemons
import node
import tools
from places import KUBECONFIG, LOCK, RUN, STATE

DAEMONS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "containerd",
    "buildkitd",
    "kubelet",
    "kube-proxy",
    "coredns",
)


def up() -> None:
    """Start everything."""
    tools.install()
    began = time.monotonic()
    node.bridge()
    node.container_engine()
    builds.up()
    builds.pause()
    control_plane.up()
    node.up()
    tools.say(f"cluster is up after {time.monotonic() - began:.0f} s: export KUBECONFIG={KUBECONFIG}")


def down() -> None:
    """Stop everything and forget it."""
    node.down()
    builds.down()
    control_plane.down()
    for folder in (STATE, RUN):
        shutil.rmtree(folder, ignore_errors=True)


def status() -> None:
    """One line a process."""
    for name in DAEMONS:
        print(f"{name:26}{daemons.pid_of(name) or 'stopped'}")


def main() -> None:
    """Do what the first argument says."""
    verbs = {"tools": tools.install, "up": up, "images": builds.bake, "down": down}
    if len(sys.argv) != 2 or sys.argv[1] not in {*verbs, "status"}:
        raise SystemExit(__doc__)
    if os.geteuid():
        raise SystemExit(
            "expected root: containerd, kubelet and the bridge need it; or use a cluster that exists:"
            " E2E_CONTEXT=<kubectl context> make e2e"
        )
    if sys.argv[1] == "status":
        status()
        return
    with LOCK.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            tools.say(f"another call works on this cluster ({LOCK}); waiting until it is done")
            fcntl.flock(lock, fcntl.LOCK_EX)
        verbs[sys.argv[1]]()


if __name__ == "__main__":
    main()

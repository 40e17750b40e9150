"""Everything that the cluster is made of, from ordinary packages: Debian's and Go modules."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from places import BIN, HERE, KUBERNETES, ROOTFS

PACKAGES = {
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "iptables": "iptables",
    "nft": "nftables",
    "ip": "iproute2",
    "conntrack": "conntrack",
    "ebtables": "ebtables",
    "mmdebstrap": "mmdebstrap",
    "gcc": "gcc libc6-dev",
}
"""What is looked for, and the Debian packages that bring it."""

MODULES: dict[str, dict[str, str]] = {
    "kubernetes": {
        **{
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in (
                *("kube-apiserver", "kube-controller-manager", "kube-scheduler"),
                *("kubelet", "kube-proxy", "kubeadm", "kubectl"),
            )
        },
        "etcd": "go.etcd.io/etcd/server/v3",
        "helm": "helm.sh/helm/v3/cmd/helm",
        "kubeconform": "github.com/yannh/kubeconform/cmd/kubeconform",
        "coredns": "./dns",
    },
    "images": {
        "buildx": "github.com/docker/buildx/cmd/buildx",
        "buildctl": "github.com/moby/buildkit/cmd/buildctl",
        "buildkitd": "github.com/moby/buildkit/cmd/buildkitd",
    },
}
"""Go modules of this folder: binary and the package it is built from. One module compiles shared packages once."""


def say(text: str) -> None:
    """Progress, to standard error."""
    print(text, file=sys.stderr, flush=True)


def run(command: Sequence[str | Path], **options: object) -> str:
    """Run and return standard output; a failure ends the program with the command and its last words."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode:
        last = (done.stderr or done.stdout).strip()[-2000:]
        raise SystemExit(f"expected {' '.join(map(str, command))} to succeed, it ended with {done.returncode}: {last}")
    return str(done.stdout)


def install() -> None:
    """Debian packages, binaries and the base's root file system; nothing is done twice."""
    missing = [packages for probe, packages in PACKAGES.items() if shutil.which(probe, path=_path()) is None]
    if missing:
        say(f"installing {' '.join(missing)}")
        quiet = {"env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}}
        run(["apt-get", "update", "-q"], **quiet)
        names = " ".join(missing).split()
        run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *names], **quiet)
    for module, binaries in MODULES.items():
        build(module, binaries)
    if not ROOTFS.is_file():
        say("making Debian's root file system")
        ROOTFS.parent.mkdir(parents=True, exist_ok=True)
        aside = ROOTFS.with_suffix(".partial.tar")
        include = "ca-certificates,python3,python3-venv,tini"
        run(["mmdebstrap", "--variant=minbase", f"--include={include}", "bookworm", aside])
        aside.replace(ROOTFS)


def _path() -> str:
    return os.environ["PATH"] + ":/usr/sbin:/sbin"


def build(module: str, binaries: dict[str, str]) -> None:
    """Build a module's binaries unless those of these sources and flags are there."""
    flags = _link_flags()
    stamp = BIN / f".{module}-{_digest(HERE / module, flags)}"
    if stamp.is_file() and all((BIN / name).is_file() for name in binaries):
        return
    if shutil.which("go") is None:
        raise SystemExit(
            "expected Go 1.25 or newer on PATH to build the cluster's binaries; install it, or use a"
            " cluster that exists: E2E_CONTEXT=<kubectl context>"
        )
    say(f"building {', '.join(binaries)} (ten minutes the first time)")
    BIN.mkdir(parents=True, exist_ok=True)
    for name, package in binaries.items():
        aside = BIN / f".{name}.partial"
        command = ["go", "build", "-trimpath", "-ldflags", flags, "-o", aside, package]
        run(command, cwd=HERE / module, env=os.environ | {"CGO_ENABLED": "0"})
        aside.replace(BIN / name)
        say(f"  {name}")
    stamp.touch()


def _link_flags() -> str:
    """Versions that the sources do not know: without them server and helm call themselves v0.0.0 and v1.20."""
    major, minor, _ = KUBERNETES.removeprefix("v").split(".")
    flags = ["-s -w"]
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        flags += [f"-X {package}.gitVersion={KUBERNETES} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}"]
    for package in ("helm.sh/helm/v3/pkg/chartutil", "helm.sh/helm/v3/pkg/lint/rules"):
        flags += [f"-X {package}.k8sVersionMajor={major} -X {package}.k8sVersionMinor={minor}"]
    return " ".join(flags)


def _digest(folder: Path, flags: str) -> str:
    known = hashlib.sha256(flags.encode())
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            known.update(file.read_bytes())
    return known.hexdigest()[:16]

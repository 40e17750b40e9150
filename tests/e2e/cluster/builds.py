"""Image builds straight into the cluster: BuildKit works on the node's own containerd, no registry is needed."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import daemons
from places import BIN, BUILDKIT, CONTAINERD, HERE, LOGS, PAUSE, REPOSITORY, ROOTFS, STATE
from tools import run, say

BUILDER = "deftunes-cluster"
CA = Path("/etc/ssl/certs/ca-certificates.crt")


def up() -> None:
    """buildkitd and the builder that buildx knows it by."""
    daemons.start(
        "buildkitd",
        [
            BIN / "buildkitd",
            *("--addr", f"unix://{BUILDKIT}", "--root", STATE / "buildkit"),
            *("--oci-worker=false", "--containerd-worker=true", f"--containerd-worker-addr={CONTAINERD}"),
            *("--containerd-worker-namespace=k8s.io", "--containerd-worker-net=host"),
        ],
    )
    daemons.wait_for("buildkitd", BUILDKIT.is_socket, "buildkitd")
    known = subprocess.run([BIN / "buildx", "inspect", BUILDER], capture_output=True, env=environment(), check=False)
    if known.returncode:
        run(
            [BIN / "buildx", "create", "--name", BUILDER, "--driver", "remote", f"unix://{BUILDKIT}"], env=environment()
        )


def down() -> None:
    """Stop it."""
    daemons.stop("buildkitd")


def environment() -> dict[str, str]:
    """buildx keeps its builders in the cluster's state and not in the user's home."""
    return dict(os.environ) | {"BUILDX_CONFIG": str(STATE / "buildx"), "BUILDX_BUILDER": BUILDER}


def pause() -> None:
    """The sandbox image, which no registry is asked for."""
    with tempfile.TemporaryDirectory() as folder:
        run(["gcc", "-Os", "-static", "-o", Path(folder) / "pause", HERE / "pause.c"])
        (Path(folder) / "Dockerfile").write_text(
            'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n'
        )
        output = f"type=image,name={PAUSE},unpack=true"
        run([BIN / "buildx", "build", "--provenance=false", "--output", output, folder], env=environment())


def bake(*targets: str) -> None:
    """`docker buildx bake` of the repository into the cluster; the log is kept."""
    base = STATE / "base"
    base.mkdir(parents=True, exist_ok=True)
    if not (base / "rootfs.tar").exists():
        os.link(ROOTFS, base / "rootfs.tar") if base.stat().st_dev == ROOTFS.stat().st_dev else None
    command = [
        *(BIN / "buildx", "bake", "--progress=plain", "--provenance=false"),
        *("--file", REPOSITORY / "docker-bake.hcl", "--allow", f"fs.read={base}", "--allow", f"fs.read={CA}"),
        *("--set", "*.output=type=image,unpack=true", "--set", f"*.secrets=id=ca,src={CA}"),
        *targets,
    ]
    say("building images")
    log = LOGS / "bake.log"
    with log.open("wb") as file:
        done = subprocess.run(
            [str(part) for part in command],
            stdout=file,
            stderr=file,
            cwd=REPOSITORY,
            env=environment() | {"BASE": "target:rootfs", "ROOTFS": str(base)},
            check=False,
        )
    if done.returncode:
        raise SystemExit(f"expected the images to build; {log} ends:\n{log.read_text(errors='replace')[-4000:]}")

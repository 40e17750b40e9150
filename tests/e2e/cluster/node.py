"""The node: bridge, containerd, kubelet, kube-proxy and DNS, as processes of this machine."""

from __future__ import annotations

import json
import subprocess
from contextlib import suppress
from pathlib import Path

import daemons
from places import (
    BIN,
    BRIDGE,
    CONTAINERD,
    GATEWAY,
    KUBECONFIG,
    NODE,
    PAUSE,
    POD_CIDR,
    RUN,
    STATE,
)
from tools import run

_CONTAINERD = f"""\
version = 2
root = "{STATE}/containerd"
state = "{RUN}/containerd"
[grpc]
  address = "{CONTAINERD}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  # a root without CAP_SYS_RESOURCE may not lower a process's score, and every sandbox would die of it
  restrict_oom_score_adj = true
  stream_server_address = "127.0.0.1"
  # so that `down` finds the pods' network namespaces where everything else of this cluster is
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{STATE}/cni"
"""

_CNI = {
    "cniVersion": "1.0.0",
    "name": "deftunes",
    "plugins": [
        {
            "type": "bridge",
            "bridge": BRIDGE,
            "isGateway": True,
            "ipMasq": True,
            "hairpinMode": True,
            "ipam": {
                "type": "host-local",
                "dataDir": str(STATE / "ipam"),
                "ranges": [[{"subnet": POD_CIDR, "gateway": GATEWAY}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        },
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ],
}

_KUBELET = f"""\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: {GATEWAY}
healthzBindAddress: 127.0.0.1
authentication:
  anonymous: {{enabled: false}}
  webhook: {{enabled: true}}
  x509: {{clientCAFile: {STATE}/pki/ca.crt}}
authorization: {{mode: Webhook}}
containerRuntimeEndpoint: unix://{CONTAINERD}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
clusterDomain: cluster.local
clusterDNS: [{GATEWAY}]
resolvConf: {STATE}/resolv.conf
# a shared disk is never as empty as kubelet's defaults want, and images built here must not be collected
evictionHard: {{memory.available: 200Mi, nodefs.available: 1Gi, imagefs.available: 1Gi}}
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
"""

_PROXY = f"""\
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
bindAddress: {GATEWAY}
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
clusterCIDR: {POD_CIDR}
clientConnection: {{kubeconfig: {STATE}/kube-proxy.conf}}
conntrack: {{maxPerCore: 0}}
"""

_COREFILE = f"""\
.:53 {{
    bind {GATEWAY}
    errors
    cache 5
    kubernetes cluster.local in-addr.arpa {{
        kubeconfig {STATE}/coredns.conf
        pods insecure
        ttl 5
    }}
}}
"""


def bridge() -> None:
    """The bridge that pods, API server and DNS are on; it exists before the first pod."""
    if subprocess.run(["ip", "link", "show", BRIDGE], capture_output=True, check=False).returncode:
        run(["ip", "link", "add", BRIDGE, "type", "bridge"])
    if GATEWAY not in run(["ip", "addr", "show", BRIDGE]):
        run(["ip", "addr", "add", f"{GATEWAY}/24", "dev", BRIDGE])
    run(["ip", "link", "set", BRIDGE, "up"])
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def container_engine() -> None:
    """containerd, with a state of its own beside that of the machine's."""
    file = STATE / "containerd.toml"
    (STATE / "cni").mkdir(parents=True, exist_ok=True)
    file.write_text(_CONTAINERD)
    (STATE / "cni" / "10-deftunes.conflist").write_text(json.dumps(_CNI))
    daemons.start("containerd", ["containerd", "--config", file, "--log-level", "warn"])
    daemons.wait_for("containerd", CONTAINERD.is_socket, "containerd")


def up() -> None:
    """kubelet, kube-proxy and DNS; waits until the node is ready."""
    files = {"kubelet.yaml": _KUBELET, "proxy.yaml": _PROXY, "Corefile": _COREFILE, "resolv.conf": ""}
    for name, text in files.items():
        file = STATE / name
        # a file that is written again, even as it was, ends the kube-proxy that runs
        if not file.is_file() or file.read_text() != text:
            file.write_text(text)
    daemons.start(
        "kubelet",
        [
            BIN / "kubelet",
            *(f"--config={STATE / 'kubelet.yaml'}", f"--kubeconfig={STATE / 'kubelet.conf'}"),
            *(f"--hostname-override={NODE}", f"--node-ip={GATEWAY}", f"--root-dir={STATE / 'kubelet'}"),
            f"--cert-dir={STATE / 'pki' / 'kubelet'}",
        ],
    )
    daemons.start("kube-proxy", [BIN / "kube-proxy", f"--config={STATE / 'proxy.yaml'}", f"--hostname-override={NODE}"])
    daemons.start("coredns", [BIN / "coredns", "-conf", STATE / "Corefile"])
    daemons.wait_for("node Ready", _ready, "kubelet", 120)


def down() -> None:
    """End pods first, then what runs them, and take the network away."""
    for name in ("kubelet", "kube-proxy", "coredns"):
        daemons.stop(name)
    if daemons.pid_of("containerd") is not None:
        _end_containers()
    daemons.stop("containerd")
    for mount in _mounts_below(STATE, RUN):
        subprocess.run(["umount", "--lazy", mount], check=False)
    subprocess.run(["ip", "link", "delete", BRIDGE], capture_output=True, check=False)
    _forget_cgroups()
    subprocess.run(["nft", "delete", "table", "ip", "kube-proxy"], capture_output=True, check=False)


def _ready() -> bool:
    done = subprocess.run(
        [
            BIN / "kubectl",
            f"--kubeconfig={KUBECONFIG}",
            "get",
            "node",
            NODE,
            "-o",
            "jsonpath={.status.conditions[?(@.type=='Ready')].status}",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout == "True"


def _ctr(*words: str) -> str:
    done = subprocess.run(
        ["ctr", "--address", CONTAINERD, "--namespace", "k8s.io", *words], capture_output=True, text=True, check=False
    )
    return done.stdout


def _end_containers() -> None:
    for task in _ctr("task", "list", "--quiet").split():
        _ctr("task", "kill", "--signal", "SIGKILL", "--all", task)
        _ctr("task", "delete", "--force", task)
    for container in _ctr("container", "list", "--quiet").split():
        _ctr("container", "delete", container)


def _forget_cgroups() -> None:
    for root in Path("/sys/fs/cgroup").glob("**/kubepods"):
        for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
            with suppress(OSError):
                folder.rmdir()
        with suppress(OSError):
            root.rmdir()


def _mounts_below(*folders: Path) -> list[str]:
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [point for point in reversed(points) if any(Path(point).is_relative_to(folder) for folder in folders)]

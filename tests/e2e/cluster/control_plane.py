"""etcd, API server, controller manager and scheduler, as processes on the bridge's own address."""

from __future__ import annotations

import subprocess
from pathlib import Path

import daemons
from places import BIN, GATEWAY, KUBECONFIG, KUBERNETES, NODE, POD_CIDR, SERVICE_CIDR, STATE
from tools import run

PKI = STATE / "pki"

_KUBEADM = f"""\
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
localAPIEndpoint: {{advertiseAddress: {GATEWAY}, bindPort: 6443}}
nodeRegistration: {{name: {NODE}}}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: {KUBERNETES}
clusterName: deftunes
certificatesDir: {PKI}
controlPlaneEndpoint: {GATEWAY}:6443
networking: {{serviceSubnet: {SERVICE_CIDR}, podSubnet: {POD_CIDR}, dnsDomain: cluster.local}}
"""


def credentials() -> None:
    """Certificates and kubeconfigs by kubeadm, which knows what each component must be called."""
    if KUBECONFIG.is_file():
        return
    STATE.mkdir(parents=True, exist_ok=True)
    config = STATE / "kubeadm.yaml"
    config.write_text(_KUBEADM)
    run([BIN / "kubeadm", "init", "phase", "certs", "all", "--config", config])
    run([BIN / "kubeadm", "init", "phase", "kubeconfig", "all", "--config", config, "--kubeconfig-dir", STATE])
    for user in ("system:kube-proxy", "system:coredns"):
        text = run([BIN / "kubeadm", "kubeconfig", "user", "--client-name", user, "--config", config])
        file = STATE / f"{user.rpartition(':')[2]}.conf"
        file.touch(mode=0o600)
        file.write_text(text)


def up() -> None:
    """Start what does not run and wait until it serves."""
    credentials()
    etcd = PKI / "etcd"
    daemons.start(
        "etcd",
        [
            BIN / "etcd",
            f"--data-dir={STATE / 'etcd'}",
            *("--listen-client-urls=https://127.0.0.1:2379", "--advertise-client-urls=https://127.0.0.1:2379"),
            *("--listen-peer-urls=https://127.0.0.1:2380", "--initial-advertise-peer-urls=https://127.0.0.1:2380"),
            "--initial-cluster=default=https://127.0.0.1:2380",
            *(f"--cert-file={etcd / 'server.crt'}", f"--key-file={etcd / 'server.key'}"),
            *(f"--trusted-ca-file={etcd / 'ca.crt'}", "--client-cert-auth"),
            *(f"--peer-cert-file={etcd / 'peer.crt'}", f"--peer-key-file={etcd / 'peer.key'}"),
            *(f"--peer-trusted-ca-file={etcd / 'ca.crt'}", "--peer-client-cert-auth"),
            # a test cluster may lose its last second; waiting for the disk would slow every pod
            "--unsafe-no-fsync",
            "--log-level=warn",
        ],
    )
    daemons.start(
        "kube-apiserver",
        [
            BIN / "kube-apiserver",
            *(f"--bind-address={GATEWAY}", f"--advertise-address={GATEWAY}", "--secure-port=6443"),
            "--etcd-servers=https://127.0.0.1:2379",
            f"--etcd-cafile={etcd / 'ca.crt'}",
            f"--etcd-certfile={PKI / 'apiserver-etcd-client.crt'}",
            f"--etcd-keyfile={PKI / 'apiserver-etcd-client.key'}",
            f"--client-ca-file={PKI / 'ca.crt'}",
            *(f"--tls-cert-file={PKI / 'apiserver.crt'}", f"--tls-private-key-file={PKI / 'apiserver.key'}"),
            f"--kubelet-client-certificate={PKI / 'apiserver-kubelet-client.crt'}",
            f"--kubelet-client-key={PKI / 'apiserver-kubelet-client.key'}",
            "--kubelet-preferred-address-types=InternalIP",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            f"--service-cluster-ip-range={SERVICE_CIDR}",
            "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
            f"--service-account-key-file={PKI / 'sa.pub'}",
            f"--service-account-signing-key-file={PKI / 'sa.key'}",
            f"--requestheader-client-ca-file={PKI / 'front-proxy-ca.crt'}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={PKI / 'front-proxy-client.crt'}",
            f"--proxy-client-key-file={PKI / 'front-proxy-client.key'}",
        ],
    )
    daemons.wait_for("API server", api_ready, "kube-apiserver", 90)
    # kubeadm's admin has no rights before this binding; super-admin is in the group that needs none
    kubectl = [BIN / "kubectl", f"--kubeconfig={STATE / 'super-admin.conf'}"]
    binding = [*kubectl, "create", "clusterrolebinding", "kubeadm:cluster-admins", "--clusterrole=cluster-admin"]
    _once([*binding, "--group=kubeadm:cluster-admins"])
    _once(
        [
            *kubectl,
            "create",
            "clusterrole",
            "system:coredns",
            "--verb=list,watch",
            "--resource=services,namespaces,pods,endpointslices.discovery.k8s.io",
        ]
    )
    _once(
        [
            *kubectl,
            "create",
            "clusterrolebinding",
            "system:coredns",
            "--clusterrole=system:coredns",
            "--user=system:coredns",
        ]
    )
    manager = STATE / "controller-manager.conf"
    daemons.start(
        "kube-controller-manager",
        [
            BIN / "kube-controller-manager",
            "--bind-address=127.0.0.1",
            *(f"--kubeconfig={manager}", f"--authentication-kubeconfig={manager}"),
            f"--authorization-kubeconfig={manager}",
            f"--service-account-private-key-file={PKI / 'sa.key'}",
            f"--root-ca-file={PKI / 'ca.crt'}",
            *(f"--cluster-signing-cert-file={PKI / 'ca.crt'}", f"--cluster-signing-key-file={PKI / 'ca.key'}"),
            "--use-service-account-credentials",
            "--leader-elect=false",
        ],
    )
    scheduler = STATE / "scheduler.conf"
    daemons.start(
        "kube-scheduler",
        [
            BIN / "kube-scheduler",
            "--bind-address=127.0.0.1",
            *(f"--kubeconfig={scheduler}", f"--authentication-kubeconfig={scheduler}"),
            f"--authorization-kubeconfig={scheduler}",
            "--leader-elect=false",
        ],
    )


def down() -> None:
    """Stop them, the store last."""
    for name in ("kube-scheduler", "kube-controller-manager", "kube-apiserver", "etcd"):
        daemons.stop(name)


def api_ready() -> bool:
    """Whether the API server says that it is ready."""
    done = subprocess.run(
        [BIN / "kubectl", f"--kubeconfig={STATE / 'super-admin.conf'}", "get", "--raw", "/readyz"],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


def _once(command: list[str | Path]) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if done.returncode and "already exists" not in done.stderr:
        raise SystemExit(f"expected {' '.join(map(str, command))} to succeed: {done.stderr.strip()}")

"""EKS Auto Mode: AWS chooses, starts and replaces the machines, and brings the add-ons, for an eighth of their price.

AWS has no API for two things that live in the cluster: pools of spot machines, and the switch for network policies.
`manifests` describes them for `kubectl apply`: docs/aws.md. These machines carry none of our tags, so the budget does
not see them.
"""

from __future__ import annotations

from typing import Any

from deftunes_cloud.nodes import SPOT, SPOT_TOLERATED, ExecutorSettings

CLUSTER_POLICIES = (
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
"""Of the control plane's role: docs.aws.amazon.com/eks/latest/userguide/auto-cluster-iam-role.html"""

NODE_POLICIES = ("AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy")

BUILT_IN_POOLS = ("general-purpose", "system")
"""Both on demand. The first is for drivers, the second for add-ons."""

_CAPACITY = "karpenter.sh/capacity-type"


def placement() -> dict[str, dict[str, Any]]:
    """Where pods may run, as the chart's `placement` takes it: `driver` and `executor`."""
    return {
        "driver": {"nodeSelector": {_CAPACITY: "on-demand"}},
        "executor": {
            "nodeSelector": {_CAPACITY: "spot"},
            "tolerations": [SPOT_TOLERATED],
        },
    }


def manifests(executors: ExecutorSettings) -> dict[str, Any]:
    """A `List` for `kubectl apply -f -`: network policies on, and a pool of spot machines for executors."""
    switch = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "amazon-vpc-cni", "namespace": "kube-system"},
        "data": {"enable-network-policy-controller": "true"},
    }
    wanted = [
        {"key": _CAPACITY, "operator": "In", "values": ["spot"]},
        {"key": "node.kubernetes.io/instance-type", "operator": "In", "values": list(executors.instance_types)},
    ]
    pool = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "executors"},
        "spec": {
            "template": {
                "spec": {
                    "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": "default"},
                    "requirements": wanted,
                    "taints": [{"key": SPOT, "value": "true", "effect": "NoSchedule"}],
                    "expireAfter": "336h",
                }
            },
            # executors hold shuffled blocks: only an empty machine is given back
            "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "2m"},
            "limits": {"cpu": str(executors.max * max(map(cores, executors.instance_types)))},
        },
    }
    return {"apiVersion": "v1", "kind": "List", "items": [switch, pool]}


def cores(instance_type: str) -> int:
    """Virtual cores of a type, by AWS's naming: large 2, xlarge 4, 4xlarge 16. Raises ValueError for other sizes."""
    size = instance_type.partition(".")[2]
    if size == "large":
        return 2
    times = size.removesuffix("xlarge")
    if size == times or not (times or "1").isdigit():
        raise ValueError(f"{instance_type}: expected a size of large, xlarge or a multiple of it")
    return 4 * int(times or 1)

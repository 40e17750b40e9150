"""Spark on Kubernetes: the stage's pod is the driver (client mode), executors are pods that it makes.

Data flow: none; settings → Spark settings, for `session.session_conf`. What the pods look like is the chart's business:
it mounts the template that executors are made from. What protects the cluster: executors name the driver's pod as
their owner and go with it; the driver makes and removes pods and nothing else. What protects the data on its way:
driver and executors prove to each other that they know a secret, and encrypt traffic and spill files.
"""

from __future__ import annotations

import re
from pathlib import Path

from pydantic import Field

from deftunes_contract.settings import LogSettings

DRIVER_PORT = 7078
"""Where executors reach the driver; fixed, so that a NetworkPolicy can name it."""
BLOCK_PORT = 7079
"""Where driver and executors exchange blocks."""
LONGEST_PREFIX = 47
"""Characters of `spark.kubernetes.executor.podNamePrefix` that Spark accepts."""
DECOMMISSION = "/opt/deftunes/share/decommission.sh"
"""Run by the kubelet before it ends an executor; part of the lake's image."""

LABEL = re.compile(r'(deftunes\.io/(?:run-id|interval|entity|pipeline))="([^"]+)"')
"""What a driver's executors are about too, as the downward API writes the driver's labels into a file."""


class ExecutorSettings(LogSettings):
    """What a driver in a pod must know about itself and its executors; read only with a master of k8s://."""

    pod_name: str = Field(alias="POD_NAME", description="the driver's pod, by the downward API")
    pod_namespace: str = Field(alias="POD_NAMESPACE", description="namespace of the driver and its executors")
    pod_ip: str = Field(alias="POD_IP", description="address at which executors reach the driver")
    image: str = Field(alias="DEFTUNES_SPARK_EXECUTOR_IMAGE", description="image of the executors: the driver's own")
    template: str = Field(
        "", alias="DEFTUNES_SPARK_EXECUTOR_TEMPLATE", description="file with the pod that executors are made from"
    )
    secret_file: str = Field(
        "",
        alias="DEFTUNES_SPARK_SECRET_FILE",
        description="file with the secret that driver and executors prove to each other, the same path in both; "
        "without it Spark makes one and writes it into its executors' environment, for all who may look at pods",
    )
    labels_file: str = Field(
        "",
        alias="DEFTUNES_SPARK_EXECUTOR_LABELS_FILE",
        description="file with the driver's labels, by the downward API; executors get those of run, month and entity",
    )
    least: int = Field(2, alias="DEFTUNES_SPARK_EXECUTORS_MIN", ge=0, description="executors that are always there")
    most: int = Field(2, alias="DEFTUNES_SPARK_EXECUTORS_MAX", ge=1, description="executors that big months grow to")
    cores: int = Field(
        1, alias="DEFTUNES_SPARK_EXECUTOR_CORES", ge=1, description="tasks that one executor runs at once"
    )
    cpu: str = Field(
        "",
        alias="DEFTUNES_SPARK_EXECUTOR_CPU",
        description="CPU that an executor requests; default: its cores",
    )
    memory: str = Field(
        "2g",
        alias="DEFTUNES_SPARK_EXECUTOR_MEMORY",
        pattern=r"^[0-9]+[kmgtKMGT]$",
        description="heap of one executor; its pod gets a tenth, at least 384 MiB, on top",
    )


def executor_conf(settings: ExecutorSettings) -> dict[str, str]:
    """Spark settings of a driver in a pod."""
    prefix = settings.pod_name[-LONGEST_PREFIX:].lstrip("-.0123456789")
    conf = {
        "spark.submit.deployMode": "client",
        "spark.kubernetes.namespace": settings.pod_namespace,
        # executors get the driver's pod as their owner: when it goes, they go
        "spark.kubernetes.driver.pod.name": settings.pod_name,
        "spark.kubernetes.executor.podNamePrefix": prefix,
        "spark.kubernetes.container.image": settings.image,
        "spark.kubernetes.executor.podTemplateContainerName": "executor",
        "spark.driver.host": settings.pod_ip,
        "spark.driver.bindAddress": "0.0.0.0",
        "spark.driver.port": str(DRIVER_PORT),
        "spark.blockManager.port": str(BLOCK_PORT),
        "spark.driver.blockManager.port": str(BLOCK_PORT),
        "spark.executor.cores": str(settings.cores),
        "spark.executor.memory": settings.memory,
        # there is no shuffle service; shuffle files hold their executor until they are no longer needed
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.shuffleTracking.enabled": "true",
        "spark.dynamicAllocation.minExecutors": str(settings.least),
        "spark.dynamicAllocation.initialExecutors": str(settings.least),
        "spark.dynamicAllocation.maxExecutors": str(max(settings.least, settings.most)),
        # a spot node that is taken away gives its blocks to the others first
        "spark.decommission.enabled": "true",
        "spark.storage.decommission.enabled": "true",
        "spark.storage.decommission.rddBlocks.enabled": "true",
        "spark.storage.decommission.shuffleBlocks.enabled": "true",
        "spark.kubernetes.decommission.script": DECOMMISSION,
        # executors have their settings from the driver: without these, it would need rights on what it never makes
        "spark.kubernetes.executor.disableConfigMap": "true",
        "spark.kubernetes.driver.service.deleteOnTermination": "false",
        "spark.kubernetes.driver.ownPersistentVolumeClaim": "false",
        "spark.kubernetes.driver.reusePersistentVolumeClaim": "false",
    }
    conf |= protection_conf(settings.secret_file)
    if settings.labels_file:
        lines = Path(settings.labels_file).read_text(encoding="utf-8").splitlines()
        found = [match for line in lines if (match := LABEL.fullmatch(line))]
        conf |= {f"spark.kubernetes.executor.label.{name}": value for name, value in (m.groups() for m in found)}
    if settings.cpu:
        conf["spark.kubernetes.executor.request.cores"] = settings.cpu
    if settings.template:
        conf["spark.kubernetes.executor.podTemplateFile"] = settings.template
    return conf


def protection_conf(secret_file: str = "") -> dict[str, str]:
    """Spark settings that let nobody without the secret talk to driver or executors, read them, or read their files.

    secret_file: where driver and executors find it; empty: Spark hands out one of its own.
    """
    conf = {
        "spark.authenticate": "true",
        "spark.network.crypto.enabled": "true",
        # GCM would notice a changed message, and cannot read a channel's second one before SPARK-56227 is in Spark
        "spark.network.crypto.cipher": "AES/CTR/NoPadding",
        # SASL is for Spark versions older than any used here
        "spark.network.crypto.saslFallback": "false",
        # shuffled blocks and what is spilled; its key comes to executors by the encrypted way above
        "spark.io.encryption.enabled": "true",
        "spark.io.encryption.keySizeBits": "256",
    }
    if secret_file:
        # the file's bytes, so that nothing of it stands in a pod's description
        conf["spark.authenticate.secret.file"] = secret_file
    return conf

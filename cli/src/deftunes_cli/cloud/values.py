"""A stack's outputs as values of the chart, with the commands that come before and after them as comments.

Everything in the chart that names a cloud resource comes from here, so that nothing is typed twice. What is a team's
own (schedules, sizes, the address of Airflow) stays out: give it to Helm in a second file.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import yaml

from deftunes_cli.cloud.outputs import Outputs, Source

CREDENTIALS, AIRFLOW = "deftunes-credentials", "deftunes-airflow"
"""Secrets of the release's namespace that the chart reads, made by the commands in the file's head."""

POD_IDENTITY = {"cidr": "169.254.170.23/32", "ports": [80]}
"""EKS Pod Identity's agent on every node (https://docs.aws.amazon.com/eks/latest/userguide/pod-identities.html)."""

DRIVERS = ("extract", "transform", "quality", "lake", "dbt", "verify")
AIRFLOW_PODS = ("api-server", "scheduler", "dag-processor", "triggerer", "setup")


def values_of(outputs: Outputs, tag: str) -> dict[str, Any]:
    """The chart's values. `tag` is the version of the images."""
    redshift, networks, shop = outputs.redshift, outputs.networks, outputs.shop
    driver = outputs.placement.driver
    is_prod = outputs.environment == "prod"
    everywhere = [{"cidr": "0.0.0.0/0", "ports": [443]}]
    # in prod by the VPC's endpoints: the interfaces' addresses are the VPC's own, those of S3's gateway are public ones
    aws = [{"cidr": cidr, "ports": [443]} for cidr in (networks.vpc, *networks.s3)] if is_prod else everywhere
    chat = [{"cidr": cidr, "ports": [443]} for cidr in networks.chat]
    return {
        "environment": "production" if is_prod else "",
        "image": {"registry": outputs.images.registry, "repository": outputs.images.repository, "tag": tag},
        "credentials": {"existingSecret": CREDENTIALS},
        "lake": {"url": outputs.lake_url, "catalog": "glue", "database": outputs.glue_database},
        "aws": {"region": outputs.region},
        "api": {"url": shop.api_url},
        **({"sources": {name: _source(name, one) for name, one in outputs.sources.items()}} if outputs.sources else {}),
        "serving": {"target": "redshift"},
        "redshift": {
            "host": redshift.host,
            "port": redshift.port,
            "database": redshift.database,
            "auth": "iam",
            "workgroup": redshift.workgroup,
            "cluster": redshift.cluster,
            "spectrumRole": redshift.spectrum_role,
        },
        "airflow": {
            "enabled": True,
            "existingSecret": AIRFLOW,
            # in prod there is no way to a chat that nobody named
            "alerts": bool(chat) or not is_prod,
            "logs": {"url": outputs.logs_url},
        },
        "spark": {"executors": {"enabled": True}},
        "placement": {
            # each its own copy, or YAML would write references
            **{name: deepcopy(driver) for name in (*DRIVERS, *(f"airflow-{pod}" for pod in AIRFLOW_PODS))},
            "executor": outputs.placement.executor,
        },
        "networkPolicy": {
            # the Service's address, and those of the nodes that answer for it
            "dns": [networks.services, networks.vpc],
            "egress": {
                "aws": [*aws, POD_IDENTITY],
                "api": [{"cidr": shop.api_cidr, "ports": [443]}],
                "songs": [{"cidr": shop.songs_cidr, "ports": [shop.songs_port]}],
                "redshift": networks.data,
                "kubernetes": [
                    {"cidr": networks.services, "ports": [443]},
                    {"cidr": networks.vpc, "ports": [443]},
                ],
                "alerts": chat if chat or is_prod else everywhere,
                "airflowDatabase": [{"cidr": cidr, "ports": [outputs.airflow_database.port]} for cidr in networks.data],
            },
        },
    }


def _source(server: str, source: Source) -> dict[str, Any]:
    """A source as the chart takes it; its Secret is made by a command in the file's head."""
    secrets = {f"{kind}Secret": {"name": secret_of(server), "key": kind} for kind in source.secrets}
    url = {"url": source.url} if source.url else {}
    return {**url, **secrets, "egress": [{"cidr": source.cidr, "ports": [source.port]}]}


def secret_of(server: str) -> str:
    """The Secret of the release's namespace with what a source asks for."""
    return f"deftunes-source-{server.replace('_', '-')}"


def render(outputs: Outputs, tag: str, stack: str) -> str:
    """The values file: commands as comments, then YAML."""
    text = yaml.safe_dump(values_of(outputs, tag), sort_keys=False, width=120, default_flow_style=False)
    head = "\n".join(f"# {line}".rstrip() for line in _head(outputs, tag, stack).splitlines())
    return f"{head}\n{text}"


def _head(outputs: Outputs, tag: str, stack: str) -> str:
    """How to get from these values to a running platform, with this stack's names; docs/aws.md has the whole way."""
    release, secrets, database, redshift = outputs.release, outputs.secrets, outputs.airflow_database, outputs.redshift
    images = outputs.images

    def kept(name: str) -> str:
        ask = f"aws secretsmanager get-secret-value --region {outputs.region} --query SecretString --output text"
        return f"<({ask} --secret-id {name} | tr -d '\\n')"

    # what the nodes need besides, where AWS chooses them (cluster.nodes: auto)
    apply = f"pulumi stack output manifests --json --stack {stack} --cwd infra_pulumi | kubectl apply --filename -\n"
    applied = apply if outputs.manifests["items"] else ""
    sources = "".join(
        f"kubectl create secret generic {secret_of(server)} --namespace {release.namespace} \\\n  "
        + " \\\n  ".join(f"--from-file={kind}={kept(name)}" for kind, name in source.secrets.items())
        + "\n"
        for server, source in outputs.sources.items()
        if source.secrets
    )
    old = outputs.environment == "prod" and not outputs.networks.s3
    warned = (
        "\nThis stack tells no addresses of S3, and pods reach named ones only: `pulumi up`, then again.\n"
        if old
        else ""
    )
    return f"""\
Values of stack {stack}, written by `deftunes values`. Do not edit: what is your own goes into a second file.
{warned}
aws eks update-kubeconfig --region {outputs.region} --name {outputs.cluster_name}
{applied}aws ecr get-login-password --region {outputs.region} \\
  | docker login --username AWS --password-stdin {images.registry}
REGISTRY={images.registry} REPOSITORY={images.repository} VERSION={tag} \\
  BASE=docker-image://python:3.11-slim-bookworm@sha256:DIGEST docker buildx bake release
kubectl create namespace {release.namespace}
kubectl label namespace {release.namespace} pod-security.kubernetes.io/enforce=restricted
kubectl create secret generic {CREDENTIALS} --namespace {release.namespace} \\
  --from-file=songs-dsn={kept(secrets.songs_dsn)}
kubectl create secret generic {AIRFLOW} --namespace {release.namespace} \\
  --from-file=database-url={kept(secrets.airflow_database_url)} \\
  --from-file=admin-password={kept(secrets.airflow_admin_password)} \\
  --from-file=alert-webhook={kept(secrets.airflow_alert_webhook)}
{sources}helm upgrade --install {release.name} charts/deftunes --namespace {release.namespace} --wait \\
  --values THIS --values YOURS

Airflow's database: {database.host}:{database.port}/{database.name}, administrator in {database.admin_secret}
Redshift: dbt logs in as "{redshift.login}", verify as "{redshift.verify_login}",
  administrator in {redshift.admin_secret}
"""

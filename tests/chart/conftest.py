"""The chart, rendered: by Helm's own binary, and read so strictly that a key said twice is an error."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import pytest
import yaml
from helm_binary import helm_or_skip

CHART = Path(__file__).parents[2] / "charts" / "deftunes"
KUBERNETES = "1.34.0"
PLAIN = (
    "credentials.existingSecret=some-secret",
    "lake.url=s3://bucket/lake",
    "api.url=https://shop.example/api",
)
"""The least that a real platform must say."""
LAYERS = {"airflow": ("evaluation", "airflow")}
"""Examples that are values on top of another one's."""


class _Strict(yaml.CSafeLoader):
    """YAML as Kubernetes' API server with strict validation reads it."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        names = [self.construct_object(key, deep=True) for key, _ in node.value]
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise yaml.constructor.ConstructorError(None, None, f"said twice: {twice}", node.start_mark)
        return super().construct_mapping(node, deep)


def read_yaml(text: str) -> list[Any]:
    """All documents of a text."""
    return [document for document in yaml.load_all(text, _Strict) if document is not None]


@dataclass(frozen=True)
class Pod:
    """A pod of the chart, wherever it is described."""

    where: str
    manifest: dict[str, Any]

    @property
    def spec(self) -> dict[str, Any]:
        return self.manifest["spec"]

    @property
    def labels(self) -> dict[str, str]:
        return self.manifest["metadata"]["labels"]

    @property
    def container(self) -> dict[str, Any]:
        (only,) = self.spec["containers"]
        return only

    @property
    def containers(self) -> list[dict[str, Any]]:
        """All of them, in the order in which they start."""
        return [*self.spec.get("initContainers", []), self.container]

    @property
    def env(self) -> dict[str, dict[str, Any]]:
        return {entry["name"]: entry for entry in self.container["env"]}

    @property
    def keys(self) -> dict[str, set[str]]:
        """Keys of Secrets that it gets, by Secret."""
        volumes = [volume["secret"] for volume in self.spec["volumes"] if "secret" in volume]
        found = [(volume["secretName"], item["key"]) for volume in volumes for item in volume["items"]]
        for container in self.containers:
            assert not any("secretRef" in source for source in container.get("envFrom", [])), (
                "the whole Secret in one pod"
            )
            given = [entry["valueFrom"].get("secretKeyRef") for entry in container["env"] if "valueFrom" in entry]
            found += [(reference["name"], reference["key"]) for reference in given if reference]
        return {secret: {key for name, key in found if name == secret} for secret, _ in found}


@dataclass(frozen=True)
class Release:
    """Everything one set of values makes."""

    text: str

    @cached_property
    def all(self) -> list[dict[str, Any]]:
        return read_yaml(self.text)

    def of(self, kind: str) -> dict[str, dict[str, Any]]:
        """Resources of a kind by name."""
        return {document["metadata"]["name"]: document for document in self.all if document["kind"] == kind}

    @property
    def templates(self) -> dict[str, Pod]:
        """The pods of the CronJobs by workload."""
        return {
            name.removeprefix("deftunes-"): Pod(f"CronJob/{name}", job["spec"]["jobTemplate"]["spec"]["template"])
            for name, job in self.of("CronJob").items()
        }

    @cached_property
    def pods(self) -> list[Pod]:
        """Every pod that may come of this release."""
        return list(self._pods())

    def _pods(self) -> Iterator[Pod]:
        yield from self.templates.values()
        for kind in ("Deployment", "Job"):
            for name, document in self.of(kind).items():
                yield Pod(f"{kind}/{name}", document["spec"]["template"])
        for name, pod in self.of("Pod").items():
            yield Pod(f"Pod/{name}", pod)
        for name, config in self.of("ConfigMap").items():
            for key, text in config["data"].items():
                if key.endswith(".yaml"):
                    (manifest,) = read_yaml(text)
                    if manifest["kind"] == "Pod":
                        yield Pod(f"ConfigMap/{name}/{key}", manifest)
                    elif manifest["kind"] == "SparkApplication":
                        yield Pod(f"ConfigMap/{name}/{key}", manifest["spec"]["driver"]["template"])


@dataclass(frozen=True)
class Chart:
    """The chart and the binary that renders it."""

    helm: str
    name: str = "deftunes"
    folder: Path = CHART

    def call(self, verb: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        name = () if verb == "lint" else (self.name,)
        command = [
            self.helm,
            verb,
            *name,
            str(self.folder),
            "--namespace",
            "trial",
            "--kube-version",
            KUBERNETES,
            *arguments,
        ]
        return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    def render(self, *arguments: str) -> Release:
        done = self.call("template", *arguments)
        assert done.returncode == 0, done.stderr
        return Release(done.stdout)

    def refusal(self, *arguments: str) -> str:
        """What Helm says against these values; it must say something."""
        done = self.call("template", *arguments)
        assert done.returncode != 0, f"accepted: {arguments}"
        return done.stderr


def given(*pairs: str) -> list[str]:
    """`--set` for each pair."""
    return [part for pair in pairs for part in ("--set", pair)]


def example(name: str) -> list[str]:
    """The values of an example in ci/, or the least a platform must say."""
    if name == "plain":
        return given(*PLAIN)
    files = [str(CHART / "ci" / f"{layer}-values.yaml") for layer in LAYERS.get(name, (name,))]
    return [part for file in files for part in ("--values", file)]


@cache
def _rendered(helm: str, name: str) -> Release:
    return Chart(helm).render(*example(name))


@pytest.fixture(scope="session")
def chart() -> Chart:
    return Chart(helm_or_skip())


@pytest.fixture(params=["evaluation", "airflow", "production", "plain"])
def release(request: pytest.FixtureRequest, chart: Chart) -> Release:
    """Each of the ways to install."""
    return _rendered(chart.helm, request.param)


@pytest.fixture
def evaluation(chart: Chart) -> Release:
    return _rendered(chart.helm, "evaluation")


@pytest.fixture
def airflow(chart: Chart) -> Release:
    """The evaluation with Airflow in it, and with the executors that the example leaves out: all components at once."""
    return chart.render(*example("airflow"), *given("spark.executors.enabled=true"))


@pytest.fixture
def production(chart: Chart) -> Release:
    return _rendered(chart.helm, "production")


@pytest.fixture
def plain(chart: Chart) -> Release:
    return _rendered(chart.helm, "plain")


@pytest.fixture
def examples() -> Any:
    """examples(name): the arguments that give Helm the values of an example."""
    return example


@pytest.fixture
def refusal(chart: Chart) -> Any:
    """refusal(example, "key=value", ...): what Helm says against the example with these values changed."""
    return lambda name, *pairs: chart.refusal(*example(name), *given(*pairs))


@pytest.fixture
def rendering(chart: Chart) -> Any:
    """rendering(example, "key=value", ...): the release of the example with these values changed."""
    return lambda name, *pairs: chart.render(*example(name), *given(*pairs))

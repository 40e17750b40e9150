"""Values: the manual is complete, typing errors and contradictions are refused, examples lint."""

import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

CHART = Path(__file__).parents[2] / "charts" / "deftunes"
SETTINGS = Path(__file__).parents[2] / "docs" / "settings.md"
DIGEST = f"sha256:{'0' * 64}"


@pytest.mark.parametrize("name", ["evaluation", "production"])
def test_examples_lint(chart: Any, name: str) -> None:
    done = chart.call("lint", "--strict", "--values", str(CHART / "ci" / f"{name}-values.yaml"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("pair", "named"),
    [
        ("lake.urll=s3://bucket", "urll"),
        ("executors.enabled=true", "executors"),
        ("spark.executors.instance=2", "instance"),
        ("workloads.extract-artists.stage=extract", "extract-artists"),
        ("workloads.dbt.stage=kitchen", "stage"),
        ("stages.extract.resources.limit.memory=1Gi", "limit"),
        ("image.digests.extrakt=sha256:00", "extrakt"),
        ("image.digests.extract=0.1.0", "extract"),
        ("spark.executors.cores=two", "cores"),
        ("evaluation.enabled=yes please", "enabled"),
        ("interval.start=2020-01-15", "start"),
        ("runId=a b", "runId"),
        ("job.backoffLimit=-1", "backoffLimit"),
        ("lake.url=bucket/lake", "url"),
        ("api.url=https://user:word@shop.example", "url"),
        ("extraSettings.PATH=/bin", "PATH"),
        ("extraSettings.DEFTUNES_SONGS_DSN=postgresql://x", "DEFTUNES_SONGS_DSN"),
        ("extraSettings.PGPASSWORD=word", "PGPASSWORD"),
        ("extraSettings.AWS_SESSION_TOKEN=word", "AWS_SESSION_TOKEN"),
        ("extraSettings.AWS_SECRET_ACCESS_KEY=word", "AWS_SECRET_ACCESS_KEY"),
        ("networkPolicy.egress.aws[0].cidr=everywhere", "cidr"),
    ],
)
def test_the_schema_refuses(refusal: Any, pair: str, named: str) -> None:
    said = refusal("plain", pair)
    assert "schema" in said
    assert named in said


@pytest.mark.parametrize(
    ("name", "pairs", "sentence"),
    [
        (
            "plain",
            ["credentials.existingSecret="],
            "make a Secret with the key songs-dsn in this namespace and name it",
        ),
        ("plain", ["lake.url="], "name the bucket, e.g. s3://my-lake/deftunes, or set evaluation.enabled"),
        ("plain", ["api.url="], "name the root of the shop's API, or set evaluation.enabled"),
        ("plain", ["image.tag=latest"], "give a version, or digests"),
        (
            "plain",
            ["credentials.awsKeys=true", "serviceAccounts.dbt.annotations.role=x"],
            "credentials.awsKeys together with serviceAccounts.dbt.annotations: .* keep one of them",
        ),
        ("plain", ["serving.target=redshift", "redshift.user=x"], "redshift.host or redshift.user is empty: give both"),
        ("plain", ["serving.target=redshift", "redshift.host=x"], "redshift.host or redshift.user is empty: give both"),
        ("production", ["serving.url=s3://bucket/a.duckdb"], "serving.url names a DuckDB file: leave it empty"),
        ("production", ["spark.executors.instances.min=11"], "min is above max: lower the one or raise the other"),
        (
            "production",
            ["aws.endpoint=http://moto:5000"],
            "environment production together with aws.endpoint: .* leave",
        ),
        ("production", ["image.tag="], r"not pinned \(extract, lake, quality, dbt\): give image.digests for them, or"),
        (
            "production",
            ["image.registry="],
            r"not pinned \(extract, lake, quality, dbt\): give image.digests for them, or",
        ),
        ("production", ["image.registry=deftunes.local"], "not pinned"),
        ("evaluation", ["environment=production"], "together with environment production: .* switch one of them off"),
        (
            "evaluation",
            ["serviceAccounts.lake.annotations.role=x"],
            "together with serviceAccounts.lake.annotations: .* remove the annotations",
        ),
        ("evaluation", ["serving.target=redshift"], "serving.target redshift: .* set serving.target to embedded"),
        ("evaluation", ["lake.url=s3://bucket"], "brings its own; leave the three empty"),
        ("evaluation", ["api.url=https://shop.example"], "brings its own; leave the three empty"),
        ("evaluation", ["aws.endpoint=http://moto:5000"], "brings its own; leave the three empty"),
        ("plain", ["extraSettings.DEFTUNES_LAKE=s3://b"], "DEFTUNES_LAKE: the chart sets this one itself; use its own"),
        (
            "plain",
            ["extraSettings.DEFTUNES_SPARK_MASTER=local"],
            "DEFTUNES_SPARK_MASTER: the chart sets this one itself",
        ),
    ],
)
def test_contradictions_are_refused_with_a_sentence(refusal: Any, name: str, pairs: list[str], sentence: str) -> None:
    assert re.search(sentence, refusal(name, *pairs))


def test_digests_alone_pin_production(rendering: Any) -> None:
    digests = [f"image.digests.{image}={DIGEST}" for image in ("extract", "lake", "transform", "quality", "dbt")]
    release = rendering("production", "image.tag=", "image.registry=", *digests)
    assert {pod.container["image"].partition("@")[2] for pod in release.pods} == {DIGEST}


def test_extra_settings_and_spark_settings_arrive(rendering: Any) -> None:
    pairs = ["extraSettings.DEFTUNES_LOG_LEVEL=DEBUG", r"spark.conf.spark\.sql\.shuffle\.partitions=8"]
    (data,) = [c["data"] for n, c in rendering("plain", *pairs).of("ConfigMap").items() if n == "deftunes-settings"]
    assert data["DEFTUNES_LOG_LEVEL"] == "DEBUG"
    assert data["DEFTUNES_SPARK_CONF"] == "spark.sql.shuffle.partitions=8"


def _documented(lines: list[str], line: int) -> bool:
    """Whether the key of this line has a helm-docs comment, behind it or in the block above it."""
    above = []
    for earlier in reversed(lines[:line]):
        if not earlier.lstrip().startswith("#"):
            break
        above.append(earlier.strip())
    return "# --" in lines[line] or any(text.startswith("# --") for text in above)


def _undocumented(node: yaml.Node, lines: list[str], path: tuple[str, ...] = (), said: bool = False) -> list[str]:
    """Leaves without a comment of their own or of a key around them; a top-level key's is too far away."""
    if not (isinstance(node, yaml.MappingNode) and node.value):
        return [] if said else [".".join(path)]
    found = []
    for key, value in node.value:
        here = (*path, key.value)
        top = not path and isinstance(value, yaml.MappingNode) and bool(value.value)
        found += _undocumented(value, lines, here, said or (not top and _documented(lines, key.start_mark.line)))
    return found


def test_every_value_says_what_it_is() -> None:
    text = (CHART / "values.yaml").read_text()
    assert _undocumented(yaml.compose(text), text.splitlines()) == []


def test_an_undocumented_value_would_be_seen() -> None:
    text = "# -- the lake\nlake:\n  url: ''\n  # -- its name\n  database: x\n  catalog: y # -- kind\n"
    assert _undocumented(yaml.compose(text), text.splitlines()) == ["lake.url"]


def test_what_the_chart_sets_is_a_documented_setting(release: Any) -> None:
    (settings,) = [config["data"] for name, config in release.of("ConfigMap").items() if name == "deftunes-settings"]
    names = set(settings) | {name for pod in release.pods for name in pod.env}
    standard = {"HOME", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
    documented = set(re.findall(r"^\| ([A-Z_0-9]+) \|", SETTINGS.read_text(), re.MULTILINE))
    assert names - standard - documented == set()


@pytest.mark.parametrize(
    ("release", "prefix"),
    [
        ("my-deftunes", "my-deftunes"),
        ("trial", "trial-deftunes"),
        ("x" * 53, f"{'x' * 26}-deftunes"),
        (f"deftunes-{'x' * 44}", f"deftunes-{'x' * 26}"),
    ],
)
def test_names_follow_the_release_and_fit(chart: Any, release: str, prefix: str) -> None:
    other = replace(chart, name=release).render("--values", str(CHART / "ci" / "evaluation-values.yaml"))
    assert f"{prefix}-extract-sessions" in other.of("CronJob")
    assert all(document["metadata"]["name"].startswith(prefix) for document in other.all)
    assert max(map(len, other.of("CronJob"))) <= 52
    assert other.of("ConfigMap")[f"{prefix}-settings"]["data"]["DEFTUNES_API_URL"] == f"http://{prefix}-shop:8000"


def test_great_numbers_stay_whole(chart: Any) -> None:
    """Helm reads a file's whole numbers as floats, and writes a million as 1e+06 unless told otherwise."""
    values = {
        "evaluation.shop.scale": 3_000_000,
        "job.ttlSecondsAfterFinished": 1_209_600,
        "stages.dbt.activeDeadlineSeconds": 2_000_000,
        "extraSettings.DEFTUNES_PART_BYTES": 134_217_728,
    }
    pairs = [part for name, value in values.items() for part in ("--set-json", f"{name}={value}")]
    release = chart.render("--values", str(CHART / "ci" / "evaluation-values.yaml"), *pairs)
    (shop,) = [pod for pod in release.pods if pod.where == "Deployment/deftunes-shop"]
    assert shop.container["args"][-3] == "3000000"
    assert release.of("ConfigMap")["deftunes-settings"]["data"]["DEFTUNES_PART_BYTES"] == "134217728"
    assert repr(release.templates["dbt"].spec["activeDeadlineSeconds"]) == "2000000"
    job = release.of("CronJob")["deftunes-dbt"]["spec"]["jobTemplate"]["spec"]
    assert repr(job["ttlSecondsAfterFinished"]) == "1209600"
    assert repr(job["activeDeadlineSeconds"]) == "8000000"


@pytest.mark.parametrize("name", ["evaluation", "production"])
def test_the_notes_name_what_is_there(chart: Any, tmp_path: Path, name: str) -> None:
    """`helm template` prints no notes, so a copy of the chart puts them into a ConfigMap."""
    copy = Path(shutil.copytree(CHART, tmp_path / "deftunes"))
    shutil.move(copy / "templates" / "NOTES.txt", copy / "notes")
    template = 'kind: ConfigMap\nmetadata: {name: notes}\ndata:\n  text: {{ tpl (.Files.Get "notes") . | quote }}\n'
    (copy / "templates" / "notes-configmap.yaml").write_text(template)
    release = replace(chart, folder=copy).render("--values", str(CHART / "ci" / f"{name}-values.yaml"))
    notes = release.of("ConfigMap")["notes"]["data"]["text"]
    assert "helm test deftunes -n trial" in notes
    assert set(re.findall(r"cronjob/(\S+)", notes)) == {"deftunes-extract-users"}
    order = notes[notes.index("The other stages") :]
    assert set(release.templates) - {"extract-users", "maintain"} == {w for w in release.templates if f"{w}" in order}
    keys = {"evaluation": {"songs-password", "songs-dsn", "aws-access-key-id"}, "production": {"redshift-password"}}
    assert all(key in notes for key in keys[name])
    assert "<no value>" not in notes
    assert "%!" not in notes


def test_one_resource_kind_per_file() -> None:
    """A file is called after its component and its kind."""
    for file in (CHART / "templates").rglob("*.yaml"):
        text = file.read_text()
        kinds = set(re.findall(r"^kind: (\w+)$", text, re.MULTILINE))
        if "deftunes.serviceAccount" in text:
            kinds.add("ServiceAccount")
        if "deftunes.policy" in text:
            kinds.add("NetworkPolicy")
        assert {file.stem.rpartition("-")[2]} == {kind.lower() for kind in kinds}, file.name

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


@pytest.mark.parametrize("name", ["evaluation", "airflow", "production"])
def test_examples_lint(chart: Any, examples: Any, name: str) -> None:
    done = chart.call("lint", "--strict", *examples(name))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("pair", "named"),
    [
        ("lake.urll=s3://bucket", "urll"),
        ("executors.enabled=true", "executors"),
        ("spark.executors.instance=2", "instance"),
        ("workloads.dbt.stage=kitchen", "stage"),
        ("stages.extract.resources.limit.memory=1Gi", "limit"),
        ("image.digests.extrakt=sha256:00", "extrakt"),
        ("spark.executors.cores=two", "cores"),
        ("evaluation.enabled=yes please", "enabled"),
        ("job.backoffLimit=-1", "backoffLimit"),
        ("networkPolicy.egress.aws[0].cidr=everywhere", "cidr"),
        ("airflow.enable=true", "enable"),
        ("airflow.auth=none", "auth"),
        ("airflow.workers.replicas=2", "workers"),
        ("airflow.scheduler.replicas=0", "replicas"),
        ("airflow.triggerer.startupAttempts=3", "startupAttempts"),
        ("serviceAccounts.airflow-setup.annotations.role=x", "airflow-setup"),
    ],
)
def test_the_schema_refuses(refusal: Any, pair: str, named: str) -> None:
    said = refusal("plain", pair)
    assert "schema" in said
    assert named in said


@pytest.mark.parametrize(
    ("pair", "sentence"),
    [
        ("workloads.extract-artists.stage=extract", "workloads.extract-artists has no args, and no contract makes"),
        ("image.digests.extract=0.1.0", "image.digests.extract: expected sha256: and 64 hexadecimal digits"),
        ("interval.start=2020-01-15", "interval.start: expected the first day of a month, such as 2020-02-01, found"),
        ("runId=a b", "runId: expected letters, digits"),
        (
            "lake.url=bucket/lake",
            "lake.url: expected a bucket and perhaps a prefix, such as s3://my-lake/deftunes, found",
        ),
        ("api.url=https://user:word@shop.example", "api.url: expected an address .* belong into a Secret"),
        ("serving.url=s3://bucket/file", "serving.url: expected a file that ends with .duckdb"),
        ("extraSettings.PATH=/bin", "extraSettings.PATH: expected a setting of docs/settings.md; .* extraEnv"),
        (
            "extraSettings.DEFTUNES_SONGS_DSN=postgresql://x",
            "extraSettings.DEFTUNES_SONGS_DSN: a secret must not stand",
        ),
        ("extraSettings.PGPASSWORD=word", "extraSettings.PGPASSWORD: a secret must not stand"),
        ("extraSettings.AWS_SESSION_TOKEN=word", "extraSettings.AWS_SESSION_TOKEN: a secret must not stand"),
        ("extraSettings.AWS_SECRET_ACCESS_KEY=word", "extraSettings.AWS_SECRET_ACCESS_KEY: a secret must not stand"),
        ("airflow.pipelines.artists.start=2020-02-01", "airflow.pipelines.artists: no contract is in a pipeline of"),
        ("airflow.pipelines.api.start=", "airflow.pipelines.api.start: expected the first day of a month"),
        ("airflow.pipelines.api.end=2020-03-31", "airflow.pipelines.api.end: expected .* nothing to go on for ever"),
        ("airflow.maintenance.schedule=weekly", "airflow.maintenance.schedule: expected five fields of cron"),
        ("airflow.logs.url=/var/log", "airflow.logs.url: expected a bucket"),
        ("airflow.url=https://example.org/airflow", "airflow.url: expected scheme and host"),
        ("fullnameOverride=Upper", "fullnameOverride: expected at most 35 small letters"),
    ],
)
def test_a_wrong_form_is_refused_with_the_right_one(refusal: Any, pair: str, sentence: str) -> None:
    assert re.search(sentence, refusal("plain", pair))


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
        (
            "plain",
            ["serving.target=redshift", "redshift.host=x", "redshift.auth=iam"],
            "redshift.workgroup and redshift.cluster are empty",
        ),
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
        *[
            ("production", [f"networkPolicy.egress.{name}[0].cidr={cidr}"], f"networkPolicy.egress.{name}: {cidr}")
            for name in ("aws", "api", "songs", "kubernetes", "airflowDatabase", "alerts")
            for cidr in ("0.0.0.0/0", "::/0", "0.0.0.0/1", "0:0::/0")
        ],
        ("production", ["networkPolicy.egress.redshift={10.0.0.0/24,0.0.0.0/0}"], "egress.redshift: 0.0.0.0/0"),
        ("production", ["networkPolicy.dns=null"], "networkPolicy.dns: empty, which is port 53 anywhere"),
        ("production", ["networkPolicy.dns={0.0.0.0/0}"], "networkPolicy.dns: 0.0.0.0/0"),
        # the defaults of the chart are those of a trial
        ("plain", ["environment=production", "image.registry=r.example", "image.tag=1.0.0"], "egress.api: 0.0.0.0/0"),
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
        (
            "production",
            ["image.registry=", "image.digests.airflow=null"],
            r"not pinned \(extract, lake, quality, dbt, airflow\)",
        ),
        ("plain", ["airflow.enabled=true"], "make a Secret with the key database-url in this namespace and name it"),
        ("airflow", ["airflow.existingSecret="], "airflow.existingSecret is empty"),
        ("production", ["airflow.auth=simple"], "everybody administrator: set it to fab, or evaluation.enabled"),
        ("airflow", ["airflow.logs.url=s3://logs/airflow"], "together with airflow.logs.url: .* leave it empty"),
        (
            "airflow",
            ["serviceAccounts.airflow-scheduler.annotations.role=x"],
            "airflow-scheduler.annotations: .* remove",
        ),
        (
            "airflow",
            ["airflow.pipelines.songs.end=2020-01-01"],
            "songs.end is before its start: give a later month, or",
        ),
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


def test_what_a_production_does_not_use_need_not_be_named(rendering: Any) -> None:
    open_ways = ("airflowDatabase", "alerts", "kubernetes")
    rendering(
        "production",
        "airflow.enabled=false",
        "spark.executors.enabled=false",
        *[f"networkPolicy.egress.{name}[0].cidr=0.0.0.0/0" for name in open_ways],
    )
    # a team whose network is closed by other means says so
    rendering("production", "networkPolicy.enabled=false", "networkPolicy.dns=null")


def test_digests_alone_pin_production(rendering: Any) -> None:
    images = ("extract", "lake", "transform", "quality", "dbt", "airflow")
    digests = [f"image.digests.{image}={DIGEST}" for image in images]
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


def test_what_the_chart_sets_for_stages_is_a_documented_setting(release: Any) -> None:
    (settings,) = [config["data"] for name, config in release.of("ConfigMap").items() if name == "deftunes-settings"]
    stages = [pod for pod in release.pods if "/airflow" not in pod.container["image"]]
    names = set(settings) | {name for pod in stages for name in pod.env}
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
def test_names_follow_the_release_and_fit(chart: Any, examples: Any, release: str, prefix: str) -> None:
    other = replace(chart, name=release).render(*examples("airflow"))
    assert f"{prefix}-extract-sessions" in other.of("CronJob")
    assert all(document["metadata"]["name"].startswith(prefix) for document in other.all)
    assert max(map(len, other.of("CronJob"))) <= 52
    assert max(len(document["metadata"]["name"]) for document in other.all) <= 63 - len("-10000")
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


@pytest.fixture
def notes(chart: Any, examples: Any, tmp_path: Path) -> Any:
    """notes(example, …): `helm template` prints none, so a copy of the chart puts them into a ConfigMap."""
    copy = Path(shutil.copytree(CHART, tmp_path / "deftunes"))
    shutil.move(copy / "templates" / "NOTES.txt", copy / "notes")
    template = 'kind: ConfigMap\nmetadata: {name: notes}\ndata:\n  text: {{ tpl (.Files.Get "notes") . | quote }}\n'
    (copy / "templates" / "notes-configmap.yaml").write_text(template)

    def read(name: str, *pairs: str) -> str:
        values = [part for pair in pairs for part in ("--set", pair)]
        release = replace(chart, folder=copy).render(*examples(name), *values)
        text = release.of("ConfigMap")["notes"]["data"]["text"]
        assert "helm test deftunes -n trial" in text
        assert "<no value>" not in text
        assert "%!" not in text
        return text

    return read


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("evaluation", {"songs-password", "songs-dsn", "aws-access-key-id"}),
        ("plain", {"songs-dsn"}),
        ("airflow", {"songs-password", "songs-dsn", "database-password", "database-url", "admin-password"}),
        ("production", {"redshift-password", "database-url", "admin-password", "alert-webhook", "fernet-key"}),
    ],
)
def test_the_notes_name_every_key(notes: Any, name: str, keys: set[str]) -> None:
    text = notes(name)
    assert {key for key in keys if key not in text} == set()


def test_the_notes_show_the_way_by_hand(notes: Any, evaluation: Any) -> None:
    text = notes("evaluation")
    assert set(re.findall(r"cronjob/(\S+)", text)) == {"deftunes-extract-users"}
    order = text[text.index("The other stages") :]
    workloads = set(evaluation.templates)
    assert workloads - {"extract-users", "maintain"} == {workload for workload in workloads if workload in order}
    assert "airflow" not in text.lower()


def test_the_notes_show_the_way_to_airflow(notes: Any) -> None:
    text = notes("airflow")
    assert "port-forward service/deftunes-airflow-api-server 8080:8080" in text
    assert "The first user is admin" in text
    assert "get secret deftunes-airflow -o jsonpath='{.data.admin-password}'" in text
    assert "@deftunes-airflow-database:5432/airflow" in text
    assert "cronjob/" not in text
    assert "admin-password" not in notes("airflow", "airflow.auth=simple")
    assert "https://airflow.example" in (real := notes("production"))
    assert "port-forward" not in real
    assert "deftunes-airflow-keys, with jwt-secret" in real
    assert "keep a copy" in notes("production", "airflow.keys.existingSecret=")


def test_one_resource_kind_per_file() -> None:
    """A file is called after its component and its kind."""
    for file in (CHART / "templates").rglob("*.yaml"):
        if file.name == "extra-objects.yaml":  # whatever a team adds
            continue
        text = file.read_text()
        kinds = set(re.findall(r"^kind: (\w+)$", text, re.MULTILINE))
        if '"deftunes.serviceAccount"' in text:
            kinds.add("ServiceAccount")
        if "deftunes.policy" in text or "deftunes.servingPolicy" in text:
            kinds.add("NetworkPolicy")
        assert {file.stem.rpartition("-")[2]} == {kind.lower() for kind in kinds}, file.name

"""Settings become Spark's settings; what is wrong is said before anything starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deftunes_contract.errors import StageError, UsageError
from deftunes_contract.settings import from_environment
from deftunes_lake.catalog import CATALOG, catalog_conf, s3a_conf
from deftunes_lake.jars import locked_jars
from deftunes_lake.jvm import archive_file, java_options, java_release, record_cds_archive
from deftunes_lake.session import session_conf
from deftunes_lake.settings import SparkSettings

KEY = f"spark.sql.catalog.{CATALOG}"


def make(**given: object) -> SparkSettings:
    """Settings of a folder lake, unless given."""
    return SparkSettings(**{"DEFTUNES_LAKE": "/lake", **given})


def test_a_folder_lake_has_a_sqlite_catalog() -> None:
    conf = catalog_conf(make(DEFTUNES_LAKE="file:///some/my lake/"))
    assert conf[f"{KEY}.type"] == "jdbc"
    assert conf[f"{KEY}.uri"] == "jdbc:sqlite:file:/some/my%20lake/catalog.db?busy_timeout=120000"
    assert conf[f"{KEY}.warehouse"] == "/some/my lake/transform_zone"
    assert conf[f"{KEY}.jdbc.schema-version"] == "V1"
    assert conf[f"{KEY}.cache-enabled"] == "false"
    assert s3a_conf(make(), prefix="") == {"fs.permissions.umask-mode": "077"}
    assert s3a_conf(make(DEFTUNES_SHARE_FILES="true")) == {}


def test_a_relative_lake_is_the_same_from_every_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    conf = catalog_conf(make(DEFTUNES_LAKE="lake"))
    assert conf[f"{KEY}.warehouse"] == f"{tmp_path}/lake/transform_zone"
    assert str(tmp_path) in conf[f"{KEY}.uri"]


def test_an_s3_lake_has_glue_and_s3() -> None:
    settings = make(DEFTUNES_LAKE="s3://bucket/prefix", AWS_REGION="eu-west-1")
    conf = catalog_conf(settings) | s3a_conf(settings)
    assert conf[f"{KEY}.type"] == "glue"
    assert conf[f"{KEY}.glue.skip-archive"] == "true"
    assert conf[f"{KEY}.io-impl"] == "org.apache.iceberg.aws.s3.S3FileIO"
    assert conf[f"{KEY}.client.region"] == conf["spark.hadoop.fs.s3a.endpoint.region"] == "eu-west-1"
    assert conf["spark.hadoop.fs.s3.impl"] == "org.apache.hadoop.fs.s3a.S3AFileSystem"
    assert not any("endpoint" in key and "region" not in key for key in conf), "AWS itself needs no endpoint"


def test_endpoints_of_stand_ins_are_honoured_the_special_over_the_general() -> None:
    settings = make(
        DEFTUNES_LAKE="s3://bucket",
        AWS_ENDPOINT_URL="http://all:1",
        AWS_ENDPOINT_URL_S3="http://s3:2",
        AWS_DEFAULT_REGION="us-east-1",
    )
    conf = catalog_conf(settings) | s3a_conf(settings)
    assert conf[f"{KEY}.glue.endpoint"] == "http://all:1"
    assert conf[f"{KEY}.s3.endpoint"] == conf["spark.hadoop.fs.s3a.endpoint"] == "http://s3:2"
    assert conf[f"{KEY}.s3.path-style-access"] == conf["spark.hadoop.fs.s3a.path.style.access"] == "true"
    assert conf[f"{KEY}.client.region"] == "us-east-1"


def test_s3_with_a_sqlite_catalog_and_glue_with_a_folder() -> None:
    mixed = catalog_conf(make(DEFTUNES_LAKE="s3://bucket", DEFTUNES_CATALOG="sqlite:////var/catalog.db"))
    assert mixed[f"{KEY}.type"] == "jdbc"
    assert mixed[f"{KEY}.io-impl"].endswith("S3FileIO")
    other = catalog_conf(make(DEFTUNES_CATALOG="glue", AWS_ENDPOINT_URL="http://x:1"))
    assert other[f"{KEY}.type"] == "glue"
    assert other[f"{KEY}.io-impl"].endswith("HadoopFileIO")


def test_the_extra_settings_have_the_last_word_and_describe_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    own = {
        "POD_NAME": "driver-x",
        "POD_NAMESPACE": "shop",
        "POD_IP": "10.1.2.3",
        "DEFTUNES_SPARK_EXECUTOR_IMAGE": "i:1",
    }
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    conf = session_conf(
        make(
            DEFTUNES_SPARK_MASTER="k8s://https://kubernetes.default.svc",
            DEFTUNES_SPARK_CONF="spark.kubernetes.namespace=data;spark.ui.enabled=true\n spark.x=a=b ",
        )
    )
    assert conf["spark.kubernetes.namespace"] == "data"
    assert conf["spark.ui.enabled"] == "true"
    assert conf["spark.x"] == "a=b"
    assert conf["spark.executor.extraClassPath"] == conf["spark.driver.extraClassPath"]
    assert conf["spark.driver.host"] == "10.1.2.3", "executors must reach the driver of a cluster"
    assert "spark.sql.shuffle.partitions" not in conf


def test_a_local_spark_is_small_and_on_loopback() -> None:
    conf = session_conf(make(DEFTUNES_SPARK_MASTER="local[3]"))
    assert conf["spark.sql.shuffle.partitions"] == "3"
    assert conf["spark.driver.host"] == conf["spark.driver.bindAddress"] == "127.0.0.1"
    assert session_conf(make(DEFTUNES_SPARK_PARTITIONS=7))["spark.sql.shuffle.partitions"] == "7"
    assert make(DEFTUNES_SPARK_MASTER="local").cores == 1
    assert make().cores == len(os.sched_getaffinity(0))


def test_wrong_settings_are_usage_errors() -> None:
    with pytest.raises(UsageError, match="expected key=value pairs, found 'spark.ui.enabled'"):
        _ = make(DEFTUNES_SPARK_CONF="spark.ui.enabled").extra_conf
    with pytest.raises(UsageError, match=r"local\[N\]"):
        _ = make(DEFTUNES_SPARK_MASTER="local[two]").cores
    with pytest.raises(UsageError, match="expected glue or sqlite:///FILE, found 'hive'"):
        catalog_conf(make(DEFTUNES_CATALOG="hive"))


def test_all_wrong_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEFTUNES_LAKE", raising=False)
    monkeypatch.setenv("DEFTUNES_SPARK_DRIVER_MEMORY", "much")
    monkeypatch.setenv("DEFTUNES_SPARK_PARTITIONS", "0")
    with pytest.raises(UsageError) as caught:
        from_environment(SparkSettings)
    for name in ("DEFTUNES_LAKE", "DEFTUNES_SPARK_DRIVER_MEMORY", "DEFTUNES_SPARK_PARTITIONS"):
        assert name in str(caught.value)


def test_missing_jars_say_how_to_get_them(tmp_path: Path) -> None:
    for jar in locked_jars()[1:]:
        (tmp_path / jar.file_name).touch()
    with pytest.raises(UsageError, match=r"1 are missing: iceberg-spark-runtime.*; run `make jars`"):
        session_conf(make(DEFTUNES_JARS=str(tmp_path)))


def test_a_missing_or_old_java_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    with pytest.raises(UsageError, match="found no java on JAVA_HOME"):
        java_release()
    java.touch(mode=0o755)
    (tmp_path / "jdk" / "release").write_text('JAVA_VERSION="11.0.2"\n')
    with pytest.raises(UsageError, match="expected Java 17 or 21, found Java 11"):
        java_release()
    (tmp_path / "jdk" / "release").write_text('JAVA_VERSION="21.0.2"\n')
    assert "21.0.2" in java_release()


def test_jars_lie_in_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert make().jars == f"{tmp_path}/deftunes/jars"


def test_a_class_archive_is_used_when_it_is_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for jar in locked_jars():
        (tmp_path / jar.file_name).touch()
    settings = make(DEFTUNES_JARS=str(tmp_path))
    assert "SharedArchiveFile" not in java_options(settings)
    archive_file(settings).touch()
    assert f"-XX:SharedArchiveFile={archive_file(settings)}" in java_options(settings)
    assert "TieredStopAtLevel" not in java_options(settings)
    small = java_options(make(DEFTUNES_JARS=str(tmp_path), DEFTUNES_SPARK_SMALL="true"))
    assert "TieredStopAtLevel=1" in small
    assert "ReservedCodeCacheSize=240m" in small, "the first compiler alone gets 48 MB, which Spark outgrows"
    # another Java would not understand it
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.touch(mode=0o755)
    (tmp_path / "jdk" / "release").write_text('JAVA_VERSION="21.0.2"\n')
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "jdk"))
    assert "SharedArchiveFile" not in java_options(settings)


@pytest.mark.parametrize("works", [True, False])
def test_a_class_archive_is_recorded_whole_or_not_at_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, works: bool
) -> None:
    for jar in locked_jars():
        (tmp_path / jar.file_name).touch()
    (tmp_path / "spark-0123456789abcdef.jsa").write_text("of another version")
    # stands for Python, which runs the rehearsal: its last argument is the file that the JVM records to
    rehearsal = tmp_path / "python"
    rehearsal.write_text(
        '#!/bin/sh\nfor last; do :; done\nprintf whole > "$last"\n' if works else "#!/bin/sh\nexit 3\n"
    )
    rehearsal.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(rehearsal))
    settings = make(DEFTUNES_JARS=str(tmp_path))
    if works:
        assert record_cds_archive(settings) == len("whole")
        assert list(tmp_path.glob("*.jsa")) == [archive_file(settings)]
    else:
        with pytest.raises(StageError, match="it ended with 3"):
            record_cds_archive(settings)
        assert [file.name for file in tmp_path.glob("*.jsa")] == ["spark-0123456789abcdef.jsa"]
    assert not list(tmp_path.glob(".warm-*"))

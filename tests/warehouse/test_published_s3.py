"""The published tables in S3 and Glue (moto): found through Glue, read with the credentials of AWS's chain."""

from __future__ import annotations

from decimal import Decimal

import boto3
import duckdb
import pytest
from aws_fakes import REGION, aws_fakes
from pyiceberg.catalog.glue import GlueCatalog

from deftunes_contract.errors import RetryableError, UsageError
from deftunes_contract.settings import LakeSettings
from deftunes_serving.lake_views import attach
from deftunes_serving.s3_file import client_of, fetch, synced_copy
from deftunes_serving.settings import ServingSettings

SECRET = "it's a secret"


@pytest.fixture
def cloud(monkeypatch):
    """An empty cloud, and the environment of somebody who may use it."""
    with aws_fakes("shop") as aws:
        for name, value in {
            "AWS_ENDPOINT_URL": aws.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "anyone",
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }.items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        yield aws.endpoint


@pytest.fixture
def settings(cloud):
    return LakeSettings(lake="s3://shop/lake")


@pytest.fixture
def cloud_lake(lake, cloud, settings):
    """`lake`, but its tables lie in S3 and its catalog is Glue."""
    boto3.client("glue", region_name="eu-west-1").create_database(DatabaseInput={"Name": lake.database})
    properties = {
        "warehouse": "s3://shop/lake/transform_zone",
        "client.region": "eu-west-1",
        "client.access-key-id": "anyone",
        "client.secret-access-key": SECRET,
        "glue.endpoint": cloud,
        "s3.endpoint": cloud,
        "py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO",
    }
    lake.catalog = GlueCatalog("lake", **properties)
    return lake


def test_tables_of_glue_are_read_from_s3(cloud_lake, settings, sell):
    cloud_lake.publish("sessions", "2020-02-01", [sell("s0", 0, "TR0", "0.50"), sell("s0", 1, "TR0", "1.25")])
    cloud_lake.publish("sessions", "2020-03-01", [sell("s1", 0, "TR0", "0.75")])
    with duckdb.connect() as connection:
        attach(connection, settings)
        query = "SELECT ingest_on::VARCHAR, sum(price) FROM deftunes_transform.sessions GROUP BY 1 ORDER BY 1"
        rows = connection.execute(query).fetchall()
        assert rows == [("2020-02-01", Decimal("1.75")), ("2020-03-01", Decimal("0.75"))]
        assert connection.execute("SELECT * FROM deftunes_transform.songs").fetchall() == []
        # the secret lives in this process only, and DuckDB does not show it
        shown = str(connection.execute("FROM duckdb_secrets()").fetchall())
        assert SECRET not in shown
        assert connection.execute("SELECT persistent FROM duckdb_secrets()").fetchall() == [(False,)]


def test_a_build_from_s3_leaves_no_secret_anywhere(cloud_lake, settings, sell, build, environment, tmp_path):
    cloud_lake.publish("sessions", "2020-02-01", [sell("s0", 0, "TR0", "0.50")])
    environment.setenv("DEFTUNES_LAKE", settings.lake)
    environment.setenv("DEFTUNES_SERVING", str(cloud_lake.serving))
    environment.setenv("DEFTUNES_DBT_HOME", str(tmp_path / "home"))
    assert "in all 1 sales of 0.50 USD" in build()
    written = [cloud_lake.serving, *(path for path in (tmp_path / "home").rglob("*") if path.is_file())]
    assert len(written) > 40  # dbt's log and compiled SQL among them
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []


def test_without_credentials_the_setting_is_named(cloud_lake, settings, sell, monkeypatch, tmp_path):
    cloud_lake.publish("sessions", "2020-02-01", [sell("s0", 0, "TR0", "0.50")])
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with duckdb.connect() as connection, pytest.raises(UsageError, match="credentials"):
        attach(connection, settings)


def test_a_cloud_that_does_not_answer_is_temporary(cloud, settings, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    with duckdb.connect() as connection, pytest.raises(RetryableError, match="Glue database deftunes_transform"):
        attach(connection, settings)


@pytest.fixture
def distant(cloud_lake, settings, environment, sell, tmp_path):
    """A lake whose serving file is an object: its client, and the address."""
    cloud_lake.publish("sessions", "2020-02-01", [sell("s0", 0, "TR0", "0.50")])
    environment.setenv("DEFTUNES_LAKE", settings.lake)
    environment.setenv("DEFTUNES_SERVING", "s3://shop/show/serving.duckdb")
    environment.setenv("DEFTUNES_DBT_HOME", str(tmp_path / "home"))
    return client_of()


def _sales(client, tmp_path):
    file = tmp_path / "look.duckdb"
    assert fetch(client, "s3://shop/show/serving.duckdb", file) is not None
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute("SELECT sum(price) FROM deftunes_serving.fact_session").fetchone()[0]


def test_a_serving_file_in_s3_is_built_and_built_upon(distant, cloud_lake, sell, build, tmp_path):
    assert build().endswith(": s3://shop/show/serving.duckdb")
    assert _sales(distant, tmp_path) == Decimal("0.50")
    cloud_lake.publish("sessions", "2020-03-01", [sell("s1", 0, "TR0", "0.75")])
    build(start="2020-02-01", end="2020-03-01")
    assert _sales(distant, tmp_path) == Decimal("1.25")


def test_of_two_builds_at_once_one_is_public_and_the_other_says_so(distant, tmp_path):
    uri = "s3://shop/show/serving.duckdb"
    for first in (True, False):  # nothing there yet, and something there
        mine, theirs = tmp_path / f"mine{first}", tmp_path / f"theirs{first}"
        refused = pytest.raises(
            RetryableError, match="newer s3://shop/show/serving.duckdb while this one worked.*again"
        )
        with refused, synced_copy(distant, uri, mine):
            with synced_copy(distant, uri, theirs):
                theirs.write_bytes(f"theirs {first}".encode())
            mine.write_bytes(b"mine")
        assert distant.get_object(Bucket="shop", Key="show/serving.duckdb")["Body"].read() == f"theirs {first}".encode()


def test_a_build_that_fails_has_put_nothing(distant, tmp_path):
    distant.put_object(Bucket="shop", Key="show/serving.duckdb", Body=b"as it was")
    with pytest.raises(FileExistsError), synced_copy(distant, "s3://shop/show/serving.duckdb", tmp_path / "file"):
        (tmp_path / "file").touch(exist_ok=False)  # it was brought: the build fails here
    assert distant.get_object(Bucket="shop", Key="show/serving.duckdb")["Body"].read() == b"as it was"


def test_a_serving_address_without_a_key_is_refused(environment):
    environment.setenv("DEFTUNES_LAKE", "s3://shop/lake")
    environment.setenv("DEFTUNES_SERVING", "s3://shop")
    with pytest.raises(UsageError, match="expected s3://bucket/key, found s3://shop"):
        ServingSettings().serving_file  # noqa: B018  # raises

"""A feed that the package does not know: a contract and its SQL in DEFTUNES_CONTRACTS, on the embedded target."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from pyiceberg.types import StringType

from deftunes_contract.errors import DataRejected, UsageError
from deftunes_serving.__main__ import run
from deftunes_serving.project import project_folder
from deftunes_serving.settings import ProjectSettings

MONTHS = ("2020-02-01", "2020-03-01", "2020-04-01")


def tip(tip_id, amount, **more):
    return {"tip_id": tip_id, "amount": Decimal(amount), **more}


@pytest.fixture
def shop_of_tips(lake, publish_month, contracts):
    """Two published months of sales, and of tips; the third month brings tips only."""
    contracts.write()
    publish_month(0)
    publish_month(1)
    lake.publish("tips", MONTHS[0], [tip("a", "1.10"), tip("b", "0.20")])
    lake.publish("tips", MONTHS[1], [tip("c", "2.00")])
    return lake


def test_a_contract_and_its_models_are_built_and_checked(shop_of_tips, build):
    sentence = build("2020-01-01", "2020-03-01")
    assert shop_of_tips.query("SELECT * FROM deftunes_serving.tips_per_month_vw ORDER BY 1") == [
        (date(2020, 2, 1), 2, Decimal("1.30")),
        (date(2020, 3, 1), 1, Decimal("2.00")),
    ]
    # beside what the package has: fact_tip, its view, stg_tips; its equality with the published rows and its own test
    packaged = int(sentence.split()[1])
    assert shop_of_tips.value("SELECT count(*) FROM deftunes_serving.fact_tip") == 3
    assert "and fact_tip 3 rows of 3.30" in sentence
    assert packaged > 3


def test_a_month_replaces_its_own_rows(shop_of_tips, build):
    build("2020-01-01", "2020-03-01")
    shop_of_tips.publish("tips", MONTHS[0], [tip("a", "5.00")])
    shop_of_tips.publish("tips", MONTHS[2], [tip("d", "0.01")])
    build("2020-03-01", "2020-04-01")
    found = shop_of_tips.query("SELECT tip_id, amount FROM deftunes_serving.fact_tip ORDER BY 1")
    assert found == [("a", Decimal("1.10")), ("b", Decimal("0.20")), ("c", Decimal("2.00")), ("d", Decimal("0.01"))]
    build("2020-01-01", "2020-02-01")
    assert shop_of_tips.value("SELECT sum(amount) FROM deftunes_serving.fact_tip") == Decimal("7.01")


def test_a_fact_that_drops_rows_is_not_shown(shop_of_tips, build, contracts):
    build("2020-01-01", "2020-03-01")
    before = shop_of_tips.content()
    contracts.replace("fact_tip.sql", "where true", "where amount > 0.5")
    with pytest.raises(DataRejected, match=r"test fact_tip_equals_published on model fact_tip .*1 failing row"):
        build("2020-01-01", "2020-02-01")
    assert shop_of_tips.content() == before


def test_months_that_would_vanish_are_refused(shop_of_tips, build):
    build("2020-01-01", "2020-03-01")
    shop_of_tips.catalog.drop_table(f"{shop_of_tips.database}.tips")
    shop_of_tips.publish("tips", MONTHS[1], [tip("c", "2.00")])
    with pytest.raises(DataRejected, match=r"2020-01 2 → 0 sales \(1\.30 .*--allow-shrink tips"):
        build("2020-01-01", "2020-02-01")
    build("2020-01-01", "2020-02-01", "--allow-shrink", "tips")
    assert shop_of_tips.value("SELECT count(*) FROM deftunes_serving.fact_tip") == 1


@pytest.mark.parametrize("after", ["amount", "processing_timestamp"])
def test_a_column_of_the_contract_arrives_with_its_months(shop_of_tips, build, contracts, after):
    build("2020-01-01", "2020-03-01")
    contracts.add_column("note", after)
    # nothing was published since: the table does not have it yet
    build("2020-01-01", "2020-02-01")
    with shop_of_tips.table("tips").update_schema() as update:
        update.add_column("note", StringType())
    shop_of_tips.publish("tips", MONTHS[2], [tip("d", "0.01", note="thanks")])
    build("2020-03-01", "2020-04-01")
    shown = shop_of_tips.query("SELECT tip_id, note FROM deftunes_serving.fact_tip ORDER BY 1")
    assert shown == [("a", None), ("b", None), ("c", None), ("d", "thanks")]
    assert shop_of_tips.value("SELECT sum(total) FROM deftunes_serving.tips_per_month_vw") == Decimal("3.31")


def test_an_entity_without_a_model_is_staged(shop_of_tips, build, contracts):
    contracts.write_text("all_tips.sql", "select tip_id, amount, ingest_on from {{ ref('stg_tips') }}")
    build("2020-01-01", "2020-03-01")
    assert shop_of_tips.value("SELECT sum(amount) FROM deftunes_serving.all_tips") == Decimal("3.30")


def test_the_folders_own_staging_model_is_used(shop_of_tips, build, contracts):
    contracts.write_text(
        "stg_tips.sql",
        "select upper(tip_id) as tip_id, amount, ingest_on from {{ source('deftunes_transform', 'tips') }}",
    )
    build("2020-01-01", "2020-03-01")
    assert shop_of_tips.query("SELECT tip_id FROM deftunes_serving.fact_tip ORDER BY 1") == [("A",), ("B",), ("C",)]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        (
            "dim_users.sql",
            "select 1 as user_id",
            r"DEFTUNES_CONTRACTS: \S+/dim_users\.sql: .* has a model dim_users already",
        ),
        ("stg_users.sql", "select 1 as user_id", r"DEFTUNES_CONTRACTS: \S+/stg_users\.sql: "),
        (
            "My Tips.sql",
            "select 1 as n",
            r"DEFTUNES_CONTRACTS: expected the file of a dbt model.* found .*My Tips\.sql",
        ),
        ("lost.sql", "select * from {{ ref('nobody') }}", r"DEFTUNES_CONTRACTS: .*lost\.sql.*nobody"),
        ("broken.sql", "select {{ 1 ", r"DEFTUNES_CONTRACTS: .*broken"),
    ],
)
def test_a_file_that_cannot_be_added_is_named(shop_of_tips, build, contracts, file, text, said):
    contracts.write_text(file, text)
    with pytest.raises(UsageError, match=said):
        build("2020-01-01", "2020-02-01")
    assert not shop_of_tips.serving.exists()


def test_a_serving_table_without_a_model_is_named(shop_of_tips, build, contracts):
    contracts.remove("fact_tip.sql")
    contracts.remove("tips_per_month_vw.sql")
    contracts.remove("tips.yml")
    with pytest.raises(UsageError, match=r"contract tips: servingTable: .* found 'fact_tip'; add fact_tip\.sql"):
        build("2020-01-01", "2020-02-01")


def test_other_commands_know_the_feed(shop_of_tips, build, dbt_home):
    build("2020-01-01", "2020-03-01")
    assert "tips " in run(["freshness"])
    run(["compile", "--target", "redshift"])
    compiled = (dbt_home / "redshift/compiled/deftunes/models/added/fact_tip.sql").read_text()
    assert '"deftunes_staging"."stg_tips"' in compiled
    run(["docs"])


def test_without_a_folder_the_packaged_project_is_read_itself(environment):
    environment.delenv("DEFTUNES_CONTRACTS", raising=False)
    assert project_folder(ProjectSettings()) == ProjectSettings().dbt_project


def test_the_same_files_are_the_same_project(shop_of_tips, contracts):
    first = project_folder(ProjectSettings())
    assert project_folder(ProjectSettings()) == first
    contracts.replace("fact_tip.sql", "where true", "where 1 = 1")
    assert project_folder(ProjectSettings()) != first

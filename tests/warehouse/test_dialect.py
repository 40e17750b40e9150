"""Each known gap of Redshift is found in a statement that has it, and not in its neighbour that Redshift takes."""

from __future__ import annotations

import pytest
from redshift_dialect import GAPS, RESERVED, findings
from sqlglot.generators.redshift import RedshiftGenerator

LONG = "n" * 128

CASES = [
    ("FILTER", "select count(*) filter (where a > 1) from t", "select count(case when a > 1 then 1 end) from t"),
    ("LATERAL", "select * from t, lateral (select t.a) x", "select * from t, (select a from u) x"),
    ("LATERAL", "select * from t left join lateral (select 1) x on true", "select * from t left join x on t.a = x.a"),
    ("DISTINCT ON", "select distinct on (a) a, b from t", "select distinct a, b from t"),
    ("function", "select t.a from t, generate_series(1, 3)", "select t.a from t, numbers"),
    ("function", "select string_agg(a, ',') from t", "select listagg(a, ',') within group (order by a) from t"),
    ("function", "select list(a) from t", "select any_value(a) from t"),
    ("function", "select * from iceberg_scan('s3://x')", "select 'iceberg_scan(' as said from t -- string_agg(a)"),
    ("leader node", "select now() from t", "select getdate(), sysdate, current_date from t"),
    ("leader node", "select current_timestamp from t", "select current_timestamp"),
    ("leader node", "select substr(a, 1, 2) from t", "select substring(a, 1, 2) from t"),
    ("leader node", "select current_schema() from t", "select current_schema() from pg_class"),
    ("operator", "select a ->> 'b' from t", "select json_extract_path_text(a, 'b') from t"),
    ("operator", "select a @> b from t", "select a > b from t"),
    ("array", "select array[1, 2] from t", "select array(1, 2) from t"),
    ("array", "select a[1] from t", "select split_part(a, ',', 1) from t"),
    ("type", "select cast(a as uuid) from t", "select cast(a as varchar(36)) from t"),
    ("type", "select a::jsonb from t", "select a::super from t"),
    ("type", "select cast(a as bytea) from t", "select cast(a as varbyte(16)) from t"),
    ("type", "select cast(a as int[]) from t", "select cast(a as int) from t"),
    ("type", "create table t (a bigserial)", "create table t (a bigint identity(1, 1))"),
    ("length", "select cast(a as text) from t", "select cast(a as varchar(1024)) from t"),
    ("length", "create table t (a varchar)", "create table t (a varchar(max))"),
    ("length", "select a::text from t", "select a::varchar, b::varchar(9) from t"),
    ("length", "select cast(relname as text) from t", "select cast(tablename as text) from svv_external_tables"),
    ("size", "select cast(a as varchar(65536)) from t", "select cast(a as varchar(65535)) from t"),
    ("size", "select cast(a as decimal(39, 2)) from t", "select cast(a as decimal(38, 2)) from t"),
    ("FOR UPDATE", "select a from t for update", "lock t"),
    ("ON CONFLICT", "insert into t values (1) on conflict do nothing", "insert into t values (1)"),
    ("RETURNING", "insert into t (a) values (1) returning a", "insert into t (a) (select 1)"),
    ("VALUES", "select a from (values (1), (2)) v (a)", "select a from (select 1 as a union all select 2) v"),
    (
        "row value",
        "select a from t where (a, b) in (select a, b from u)",
        "select a from t where a in (select a from u)",
    ),
    ("row value", "select a from t where (a, b) = (1, 2)", "select a from t where (a = 1) and (b = 2)"),
    ("IS DISTINCT FROM", "select a is distinct from b from t", "select a is not null from t"),
    ("QUALIFY", "select a from t x qualify rank() over (order by a) = 1", "select a from t x where a = 1"),
    ("GROUP BY ALL", "select a, count(*) from t group by all", "select a, count(*) from t group by 1"),
    ("EXCLUDE", "select * exclude (a) from t", "select t.* from t"),
    ("BY NAME", "select a from t union all by name select a from u", "select a from t union all select a from u"),
    ("FETCH", "select a from t fetch first 1 rows only", "select a from t limit 1"),
    ("TABLESAMPLE", "select a from t tablesample bernoulli (1)", "select a from t where random() < 0.01"),
    (
        "MATERIALIZED",
        "with x as materialized (select 1 as a) select a from x",
        "with x as (select 1 as a) select a from x",
    ),
    ("CREATE INDEX", "create index i on t (a)", "create table t (a integer) sortkey (a)"),
    (
        "WITHIN GROUP",
        "select mode() within group (order by a) from t",
        "select percentile_cont(0.5) within group (order by a) from t",
    ),
    (
        "DISTINCT in a window",
        "select count(distinct a) over (partition by b) from t",
        "select count(distinct a), count(distinct b) from t",
    ),
    (
        "window without ORDER BY",
        "select lag(a) over (partition by b) from t",
        "select lag(a) over (partition by b order by c), row_number() over (partition by b) from t",
    ),
    (
        "third argument",
        "select lead(a, 1, 0) over (order by b) from t",
        "select coalesce(lead(a, 1) over (order by b), 0) from t",
    ),
    (
        "window without a frame",
        "select sum(a) over (partition by b order by c) from t",
        "select sum(a) over (order by c rows unbounded preceding), sum(a) over (partition by b) from t",
    ),
    (
        "RANGE",
        "select sum(a) over (order by b range unbounded preceding) from t",
        "select sum(a) over (order by b rows between unbounded preceding and current row) from t",
    ),
    (
        "WINDOW",
        "select rank() over w from t window w as (order by a)",
        "select rank() over (order by a desc nulls last) from t",
    ),
    ("reserved word", "select a as tag from t", 'select a as "tag" from t'),
    ("reserved word", "select t.user from t", "select user from t"),
    ("reserved word", "select a from t order by all", "select release, year, place from t order by 1"),
    ("long name", f"select a as {LONG} from t", f"select a as {LONG[1:]} from t"),
    ("FULL JOIN", "select t.a from t full outer join u on t.a > u.a", "select t.a from t left join u on t.a > u.a"),
    (
        "FULL JOIN",
        "select t.a from t full outer join u on t.a = u.a and t.b > 1",
        "select t.a from t full outer join u on t.a = u.a and t.b = u.b",
    ),
    (
        "RECURSIVE",
        "with recursive r as (select 1 as a union all select a + 1 from r where a < 9) select a from r",
        "with recursive r (a) as (select 1 union all select a + 1 from r where a < 9) select a from r",
    ),
    (
        "RECURSIVE",
        "with recursive r (a) as (select 1 union select a + 1 from r where a < 9) select a from r",
        "with recursive r as (select 1 as a) select a from r",
    ),
    (
        "correlation",
        "select e.a from e where not exists (select 1 from l where not exists (select 1 from s where e.a = s.a))",
        "select e.a from e where not exists (select 1 from l where l.a = e.a)",
    ),
    (
        "correlation",
        "select c.a from c left join e on c.a = e.a and e.b = (select max(s.b) from s where s.a = e.a)",
        "select c.a from c left join e on c.a = e.a and e.b = (select max(s.b) from s)",
    ),
    (
        "correlation",
        "select t.a from t where t.b in (select rank() over (order by u.b) from u where u.a = t.a)",
        "select t.a from t where t.b in (select rank() over (order by u.b) from u)",
    ),
    (
        "correlation",
        "select t.a from t where t.b in (select sum(u.b) from u where u.a = t.a group by u.c)",
        "select t.a from t where t.b in (select max(u.b) from u where u.a = t.a group by u.c)",
    ),
    ("grammar", "select 7 // 2", "select 7 / 2"),
]


def names(sql):
    return {finding.split(":")[0] for finding in findings(sql)}


@pytest.mark.parametrize(("gap", "violating", "neighbour"), CASES)
def test_a_gap_is_found_and_its_neighbour_is_not(gap, violating, neighbour):
    assert names(violating) == {gap}
    assert findings(neighbour) == []


def test_every_gap_has_a_case():
    assert {gap.name for gap in GAPS} | {"grammar"} == {gap for gap, _, _ in CASES}


@pytest.mark.parametrize(
    "sql",
    [
        "select a::int, cast(a as timestamp) from t",
        "select date '2020-01-01' - 1, d + interval '1 month', d - interval '3 days', dateadd(month, -1, d) from t",
        "select extract(month from d), date_trunc('month', d), datediff(day, d, e) from t",
        "begin; delete from t where d > date '2020-01-01'; insert into t (a) (select a from u); commit",
        "create table t diststyle all sortkey (a) as (select a from u)",
        "create or replace view v as select a from t with no schema binding",
        "-- first\nselect a from t; /* second */ select b from u -- both\n; -- and the end",
        "",
    ],
)
def test_what_redshift_takes_is_let_through(sql):
    assert findings(sql) == []


def test_every_statement_is_looked_at_and_a_finding_says_what_why_and_where():
    (finding,) = findings("select 1; select count(*) filter (where a) from t; select 2")
    assert finding == (
        "FILTER: COUNT(*) FILTER(WHERE a): no aggregate takes it; sum or count a CASE "
        "(https://docs.aws.amazon.com/redshift/latest/dg/c_Aggregate_Functions.html)"
    )


def test_reserved_words_are_those_that_the_parser_quotes():
    known = {word.strip() for word in RedshiftGenerator.RESERVED_KEYWORDS}
    assert known - {word.lower() for word in RESERVED} == {"type"}  # which the guide does not name
    assert {word.lower() for word in RESERVED} <= known

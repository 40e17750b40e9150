"""dbt killed in the middle of a build: whoever reads meanwhile sees the old state or the new one, never a mix."""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass, field
from multiprocessing.connection import wait

from killable import start_build

COMMIT = r"(?-i:^commit$)"
"""The exchange's; dbt's own are in capitals."""
POINTS = (
    (r"^lock table", 1),
    (r"^drop schema if exists deftunes_building", 1),
    (r"create view \S*deftunes_staging", 2),
    (r"create table\s+\S*deftunes_building\S*dim_users", 1),
    (r"insert into \S*deftunes_building\S*fact_session", 1),
    (r"create view \S*deftunes_building\S*sales_per_artist_vw", 1),
    (r"relationships_where|not exists \(", 2),
    (r"^delete from deftunes_serving\.dim_users", 1),
    (r"^insert into deftunes_serving\.fact_session", 1),
    (COMMIT, 1),
)
"""Statements before which the build is killed, the nth of its kind: from the lock to the end of the exchange."""
SEEN = """
    SELECT (SELECT sum(price) FROM deftunes_serving.fact_session),
           (SELECT sum(total_sales) FROM deftunes_serving.sales_per_country_vw),
           (SELECT sum(total_sales) FROM deftunes_serving.sales_per_country_at_sale_vw),
           (SELECT sum(total_sales) FROM deftunes_serving.sales_per_artist_vw),
           (SELECT sum(total_spent) FROM deftunes_serving.user_activity_vw),
           (SELECT sum(total_purchases) FROM deftunes_serving.music_preference_vw),
           (SELECT string_agg(artist_name, '|' ORDER BY artist_id) FROM deftunes_serving.dim_artists),
           (SELECT string_agg(country_code, '|' ORDER BY user_id) FROM deftunes_serving.dim_users)
"""


@dataclass
class Reader:
    """An analyst who looks all the time."""

    redshift: object
    seen: set[tuple[object, ...]] = field(default_factory=set)
    looks: int = 0

    def __enter__(self):
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self._look)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()

    def _look(self):
        with self.redshift.direct() as connection:
            while not self.stop.is_set():
                self.seen.add(connection.execute(SEEN).fetchone())
                self.looks += 1
                self.stop.wait(0.005)


def test_a_build_killed_anywhere_shows_the_old_state_or_the_new(lake, sell, built, build_redshift):
    ((old,), before) = (built.query(SEEN), built.content())
    lake.publish("users", "2020-02-01", [{"user_id": "u-ada", "country_code": "FR"}])
    lake.publish("songs", "2020-02-01", [{"track_id": "TR-1", "artist_id": "AR-1", "artist_name": "Renamed"}])
    lake.publish("sessions", "2020-02-01", [sell("new", 0, "TR-1", "0.40", user="u-ada", artist_id="AR-1")])
    built.fill()
    january = ("build", "--start", "2020-01-01", "--end", "2020-02-01")

    def killed(pattern, nth, after=False):
        """Kill a build at this point: before the statement goes on, or when the server runs it."""
        process = None

        def kill():
            os.kill(process.pid, signal.SIGKILL)
            # not join(): the exit code can be read once, and the test's own thread reads it
            wait([process.sentinel])
            return True

        with built.redshift.proxy.when(pattern, kill, nth, after) as met:
            process = start_build(os.environ, january)
            process.join(timeout=120)
            assert met, f"no statement matches {pattern}"
            # told to run the last statement, the server may answer, and the build end, before the kill arrives
            assert process.exitcode in ({-signal.SIGKILL, 0} if after else {-signal.SIGKILL})

    with Reader(built.redshift) as reader:
        for pattern, nth in POINTS:
            killed(pattern, nth)
            assert reader.seen == {old}, pattern
        assert built.content() == before
        killed(COMMIT, 1, after=True)
        with built.redshift.direct() as connection:
            # the dead client's transaction may still be on its way
            connection.execute("SELECT pg_sleep(0.5)")
    ((new,),) = (built.query(SEEN),)
    assert new != old
    assert reader.seen <= {old, new}
    assert reader.looks > 100
    # the state that a killed build left is the one that an undisturbed build makes
    shown = built.content()
    build_redshift()
    assert built.content() == shown

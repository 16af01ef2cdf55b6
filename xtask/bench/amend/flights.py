"""The flights for `cargo xtask bench amend`: makes them, hands them to SQLMesh, corrects them there, and checks results.

    flights.py make SOURCE FOLDER YEARS TIMES    files of as many years, each flight as many times as told
    flights.py load DATA DATABASE                SQLMesh's source: the files as tables
    flights.py correct DATABASE                  the correction, as SQLMesh's user makes it
    flights.py check DATA CHANGED mainstay DIR   what is wrong in Delta tables below DIR
    flights.py check DATA CHANGED sqlmesh DB     what is wrong in a database

`check` computes all tables again from the files as corrected, by queries of its own, and prints one JSON document: by table the
rows that are missing or too many, and the slices that they are in. CHANGED is 1 if the job was changed as well.
"""

import json
import pathlib
import sys

import duckdb

# The flight that left 1,301 minutes late.
WRONG = "year = 2013 AND month = 1 AND day = 9 AND dep_delay > 1300"


def quoted(path):
    return "'" + str(path).replace("'", "''") + "'"


def make(source, folder, years, times):
    source, folder, years, times = pathlib.Path(source), pathlib.Path(folder), int(years), int(times)
    flights = folder / "flights"
    flights.mkdir(parents=True)
    con = duckdb.connect()
    for back in range(years):
        # The 29th of February has no flights. Repeated flights have numbers of their own, and are not corrected.
        con.execute(f"""
            COPY (
                SELECT f.* REPLACE (
                    f.year - {back} AS year,
                    f.flight + n * 10000 AS flight,
                    CASE WHEN n > 0 AND f.dep_delay > 1300 THEN 60 ELSE f.dep_delay END AS dep_delay,
                    f.time_hour - INTERVAL '{back}' YEAR AS time_hour
                )
                FROM {quoted(source / "flights/2013.parquet")} AS f
                CROSS JOIN (SELECT CAST(range AS INTEGER) AS n FROM range({times})) AS repeated
                ORDER BY f.month, f.day
            ) TO {quoted(flights / f"{2013 - back}.parquet")} (FORMAT parquet, COMPRESSION zstd)
        """)
    airlines = folder / "airlines.parquet"
    airlines.write_bytes((source / "airlines.parquet").read_bytes())


def load(data, database):
    con = duckdb.connect(database)
    con.execute("CREATE SCHEMA raw")
    con.execute(f"CREATE TABLE raw.flights AS SELECT * FROM read_parquet({quoted(data + '/flights/*.parquet')})")
    con.execute(f"CREATE TABLE raw.airlines AS SELECT * FROM read_parquet({quoted(data + '/airlines.parquet')})")
    con.close()


def correct(database):
    con = duckdb.connect(database)
    con.execute(f"UPDATE raw.flights SET dep_delay = NULL, arr_delay = NULL WHERE {WRONG}")
    con.close()


def expected(con, data, changed):
    """Everything again, from the files."""
    minutes = "sum(greatest(dep_delay, 0))" if changed else "sum(dep_delay)"
    con.execute("CREATE SCHEMA expected")
    for name, query in {
        "departures": f"""
            SELECT make_date(f.year, f.month, f.day) AS day, f.carrier, a.name AS airline, f.flight, f.origin, f.dest,
                f.distance, CASE WHEN {WRONG} THEN NULL ELSE f.dep_delay END AS dep_delay,
                CASE WHEN {WRONG} THEN NULL ELSE f.arr_delay END AS arr_delay,
                f.dep_time IS NULL AS cancelled,
                CASE WHEN {WRONG} THEN false ELSE f.dep_delay IS NOT NULL AND f.dep_delay > 15 END AS late
            FROM read_parquet({quoted(data + "/flights/*.parquet")}) AS f
            JOIN read_parquet({quoted(data + "/airlines.parquet")}) AS a USING (carrier)""",
        "daily_delays": f"""
            SELECT day, carrier, count(*) AS flights, sum(CAST(cancelled AS BIGINT)) AS cancelled,
                sum(CAST(late AS BIGINT)) AS late, {minutes} AS minutes
            FROM expected.departures GROUP BY ALL""",
        "week_delays": """
            SELECT d.day, d.carrier,
                CAST(sum(w.minutes) AS DOUBLE) / nullif(sum(w.flights) - sum(w.cancelled), 0) AS delay
            FROM expected.daily_delays AS d
            JOIN expected.daily_delays AS w
                ON w.carrier = d.carrier AND w.day <= d.day AND w.day >= d.day - 6
            GROUP BY ALL""",
        "carrier_months": """
            SELECT make_date(year(day), month(day), 1) AS month, carrier, sum(flights) AS flights,
                sum(cancelled) AS cancelled,
                CAST(sum(minutes) AS DOUBLE) / nullif(sum(flights) - sum(cancelled), 0) AS delay
            FROM expected.daily_delays GROUP BY ALL""",
        "routes": """
            SELECT origin, dest, count(*) AS flights, avg(arr_delay) AS arrival_delay, max(distance) AS miles
            FROM expected.departures GROUP BY ALL""",
        "worst_days": """
            SELECT day, carrier, delay FROM expected.week_delays
            ORDER BY delay DESC NULLS LAST, day, carrier LIMIT 10""",
    }.items():
        con.execute(f"CREATE TABLE expected.{name} AS {query}")


def source_of(con, system, place, name):
    """What the system says the table holds, as something to select from."""
    if system == "sqlmesh":
        return f"sqlmesh.air.{name}"
    import deltalake

    con.register(f"delta_{name}", deltalake.DeltaTable(f"{place}/{name}").to_pyarrow_dataset())
    return f"delta_{name}"


# By table: the column whose values say where it is wrong.
TABLES = {
    "departures": "day",
    "daily_delays": "day",
    "week_delays": "day",
    "carrier_months": "month",
    "routes": "origin",
    "worst_days": "day",
}


def check(data, changed, system, place):
    con = duckdb.connect()
    expected(con, data, changed == "1")
    if system == "sqlmesh":
        con.execute(f"ATTACH {quoted(place)} AS sqlmesh (READ_ONLY)")
    answer = {}
    for name, where in TABLES.items():
        columns = [(c, t) for c, t, *_ in con.execute(f"DESCRIBE expected.{name}").fetchall()]
        # Types as expected; floats to nine digits.
        cast = [(c, f"CAST({c} AS {t})") for c, t in columns]
        select = ", ".join(f"round({e}, 9) AS {c}" if "DOUBLE" in e else f"{e} AS {c}" for c, e in cast)
        sides = {
            "expected": f"SELECT {select} FROM expected.{name}",
            "found": f"SELECT {select} FROM {source_of(con, system, place, name)}",
        }
        for side, rows in sides.items():
            con.execute(f"""
                CREATE OR REPLACE TEMP TABLE sums_{side} AS
                SELECT {where} AS place, count(*) AS rows, sum(hash(r)) AS hash FROM ({rows}) AS r GROUP BY ALL""")
        con.execute("""
            CREATE OR REPLACE TEMP TABLE differing AS
            SELECT DISTINCT place
            FROM ((FROM sums_expected EXCEPT FROM sums_found) UNION ALL (FROM sums_found EXCEPT FROM sums_expected))""")
        rows = {s: f"SELECT * FROM ({q}) WHERE {where} IN (SELECT place FROM differing)" for s, q in sides.items()}
        count = lambda a, b: con.execute(f"SELECT count(*) FROM ({rows[a]} EXCEPT ALL {rows[b]})").fetchall()[0][0]
        places = con.execute("SELECT CAST(place AS VARCHAR) FROM differing ORDER BY 1").fetchall()
        answer[name] = {
            "rows": con.execute(f"SELECT count(*) FROM expected.{name}").fetchall()[0][0],
            "missing": count("expected", "found"),
            "extra": count("found", "expected"),
            "places": [p for (p,) in places],
        }
    print(json.dumps(answer))


if __name__ == "__main__":
    command, *words = sys.argv[1:]
    {"make": make, "load": load, "correct": correct, "check": check}[command](*words)

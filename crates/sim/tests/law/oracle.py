"""The other engine: answers requests, one JSON document a line, with DuckDB.

Every request may begin anew, run statements, make tables from queries, and read tables. A table with more rows than
`most` ends the request: what follows from it would only take long.
"""

import datetime
import decimal
import json
import struct
import sys

import duckdb


def text(value):
    """Writes a value so that equal values of any engine are equal texts."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        value = 0.0 if value == 0 else value
        return "%016x" % struct.unpack(">Q", struct.pack(">d", value))[0]
    if isinstance(value, decimal.Decimal):
        plain = format(value, "f")
        plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
        return "0" if plain in ("-0", "") else plain
    if isinstance(value, datetime.datetime):
        return "a moment: " + value.isoformat()
    if isinstance(value, datetime.date):
        return value.isoformat()
    return "'" + str(value)


def read(database, name, most, into):
    """Reads a table, unless it has too many rows; says whether it did."""
    found = database.execute(f"FROM {name}").fetchmany(most + 1)
    into[name] = sorted(
        [[text(v) for v in row] for row in found],
        key=lambda row: [(v is None, v or "") for v in row],
    )
    return len(found) <= most


def answer(database, request):
    for sql in request.get("do", []):
        database.execute(sql)
    made = {}
    for name, sql, after in request.get("make", []):
        try:
            database.execute(f"CREATE OR REPLACE TABLE {name} AS {sql}")
            for statement in after:
                database.execute(statement)
        except duckdb.Error as e:
            return {"error": f"{name}: {e}"}
        if not read(database, name, request["most"], made):
            return {"too_large": name}
    for name in request.get("read", []):
        if not read(database, name, request["most"], made):
            return {"too_large": name}
    counts = [database.execute(f"SELECT count(*) FROM ({sql})").fetchone()[0] for sql in request.get("count", [])]
    return {"tables": made, "counts": counts}


def main():
    database = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if request.get("fresh") or database is None:
                if database is not None:
                    database.close()
                database = duckdb.connect(":memory:", config={"threads": 1})
                database.execute("CREATE SCHEMA lab; CREATE SCHEMA base")
            said = answer(database, request)
        except Exception as e:  # What it could not do is for the test to say.
            said = {"error": f"{type(e).__name__}: {e}"}
        print(json.dumps(said), flush=True)


main()

MODEL (
  name air.departures,
  description "Flights with their airline's name: joins a dimension",
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column day
  ),
  end '2013-12-31'
);

SELECT
  make_date(f.year, f.month, f.day) AS day,
  f.carrier,
  a.name AS airline,
  f.flight,
  f.origin,
  f.dest,
  f.distance,
  f.dep_delay,
  f.arr_delay,
  f.dep_time IS NULL AS cancelled,
  coalesce(f.dep_delay > 15, FALSE) AS late
FROM raw.flights AS f
JOIN raw.airlines AS a
  ON a.carrier = f.carrier
WHERE
  make_date(f.year, f.month, f.day) BETWEEN @start_date AND @end_date

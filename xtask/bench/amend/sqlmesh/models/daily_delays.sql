MODEL (
  name air.daily_delays,
  description 'By day and carrier: the middle of a chain',
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column day
  ),
  end '2013-12-31'
);

SELECT
  day,
  carrier,
  count(*) AS flights,
  count(*) FILTER (WHERE cancelled) AS cancelled,
  count(*) FILTER (WHERE late) AS late,
  sum(dep_delay) AS minutes
FROM air.departures
WHERE
  day BETWEEN @start_date AND @end_date
GROUP BY day, carrier

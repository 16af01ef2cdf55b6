MODEL (
  name air.week_delays,
  description 'By day and carrier: the delay of a departure over the last seven days',
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column day
  ),
  end '2013-12-31'
);

WITH weeks AS (
  SELECT
    day,
    carrier,
    CAST(sum(minutes) OVER week AS DOUBLE) / nullif(sum(flights - cancelled) OVER week, 0) AS delay
  FROM air.daily_delays
  WHERE
    day BETWEEN @start_date - INTERVAL '6' DAY AND @end_date
  WINDOW week AS (PARTITION BY carrier ORDER BY day RANGE BETWEEN INTERVAL '6' DAY PRECEDING AND CURRENT ROW)
)
SELECT
  day,
  carrier,
  delay
FROM weeks
WHERE
  day BETWEEN @start_date AND @end_date

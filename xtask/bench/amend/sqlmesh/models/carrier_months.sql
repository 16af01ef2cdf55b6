MODEL (
  name air.carrier_months,
  description 'By month and carrier',
  kind INCREMENTAL_BY_TIME_RANGE (
    time_column month
  ),
  cron '@monthly',
  end '2013-12-31'
);

SELECT
  CAST(date_trunc('month', day) AS DATE) AS month,
  carrier,
  sum(flights) AS flights,
  sum(cancelled) AS cancelled,
  CAST(sum(minutes) AS DOUBLE) / nullif(sum(flights - cancelled), 0) AS delay
FROM air.daily_delays
WHERE
  day BETWEEN @start_date AND @end_date
GROUP BY 1, 2

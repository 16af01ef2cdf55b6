MODEL (
  name air.worst_days,
  description 'The ten days with the longest delay of a week, over all days: the end of a chain',
  kind FULL,
  end '2013-12-31'
);

SELECT
  day,
  carrier,
  delay
FROM air.week_delays
ORDER BY delay DESC NULLS LAST, day, carrier
LIMIT 10

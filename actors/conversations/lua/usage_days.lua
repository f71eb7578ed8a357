-- The sums of days. ARGV: again, time, keep, the first day and the last one.
-- Returns of each day that has any its number, and its fields with their values: sum, address and model, with bars
-- between.

local days = {}
for day = math.max(tonumber(ARGV[4]), today() - SUMS_KEPT_DAYS), math.min(tonumber(ARGV[5]), today()) do
  local sums = redis.call('HGETALL', key('usage', digits(day)))
  if #sums > 0 then days[#days + 1] = {digits(day), sums} end
end
return days

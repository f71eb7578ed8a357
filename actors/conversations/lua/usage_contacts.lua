-- The sums of a page of conversations, those used last first. ARGV: again, time, keep, the first day and the last one,
-- how many to pass over, how many to look at.
-- Returns how many were looked at, and of each its key and its sums in their order.

local since, until_ = math.max(tonumber(ARGV[4]), first_kept_day()), tonumber(ARGV[5])
local page = redis.call('ZREVRANGEBYSCORE', base .. ':usage-contacts', '+inf', digits(since), 'LIMIT', ARGV[6], ARGV[7])
local answer = {#page}
for _, conversation in ipairs(page) do
  local fields, sums, has_any = redis.call('HGETALL', key('usage-of', conversation)), {}, false
  for i = 1, #fields, 2 do
    local day, name = string.match(fields[i], '^(%d+)|(.*)$')
    if tonumber(day) >= since and tonumber(day) <= until_ then
      sums[name], has_any = (sums[name] or 0) + tonumber(fields[i + 1]), true
    end
  end
  if has_any then
    answer[#answer + 1] = conversation
    for _, name in ipairs(SUMS) do answer[#answer + 1] = digits(sums[name] or 0) end
  end
end
return answer

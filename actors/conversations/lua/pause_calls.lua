-- The model takes no call for a while. ARGV: again, time, keep, for how long. Returns 1.

local latest = now + MOST_PAUSED_MS
local before = tonumber(redis.call('GET', key('calls-paused', '')) or 0) or 0
if before > latest then before = 0 end -- of a clock that was set back since
local until_ms = math.max(math.min(now + tonumber(ARGV[4]), latest), before)
redis.call('SET', key('calls-paused', ''), string.format('%.0f', until_ms), 'PX', math.max(1, until_ms - now))
return 1

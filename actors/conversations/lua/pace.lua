-- Take the next turn to send from an address of ours. ARGV: again, time, keep, the address, and the milliseconds from
-- this turn to the next. Returns in how many milliseconds this one is.

-- By how much a clock is set back at least, in milliseconds, before turns follow it.
local TOLERANCE_MS = 1000

local interval, next_at, taken_at = tonumber(ARGV[5]), key('pace', ARGV[4]), key('paced', ARGV[4])
local next_turn, taken = tonumber(redis.call('GET', next_at) or 0), tonumber(redis.call('GET', taken_at) or 0)
if taken > now + TOLERANCE_MS then next_turn = next_turn - taken + now end
local turn = math.max(next_turn, now)
local wait = math.ceil(turn - now)
local keep = math.ceil(wait + interval) + 1000
redis.call('SET', next_at, string.format('%.3f', turn + interval), 'PX', keep)
redis.call('SET', taken_at, digits(now), 'PX', keep)
return wait

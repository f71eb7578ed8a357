-- Take all that may be told to a receiver, if some of it is ripe. ARGV: again, time, keep, receiver, taker, now, since
-- when something has to have happened, '1' in quiet hours, how long the taker has it, and before when it is dropped.
-- Returns when the oldest happened that may be told and is not ripe, how many wait for the end of quiet hours, how many
-- were dropped, and of each that is taken its id, when it happened and what to tell, the oldest first.

although_memory_is_full()
local receiver, taker, at_now = ARGV[4], ARGV[5], tonumber(ARGV[6])
local ripe, is_quiet, last = tonumber(ARGV[7]), ARGV[8] == '1', tonumber(ARGV[9])
local untold = key('notices', receiver)

local function notice(id) return key('notice', receiver .. ':' .. id) end

-- What was taken for longer than anybody takes it, or happens later than that, was noted by a clock that was set back.
local function is_free(taken_until) return taken_until <= at_now or taken_until > last end

local dropped = redis.call('ZRANGEBYSCORE', untold, '-inf', '(' .. ARGV[10])
for _, id in ipairs(dropped) do
  redis.call('ZREM', untold, id)
  redis.call('DEL', notice(id))
end

local free, waiting, oldest = {}, 0, nil
local scored = redis.call('ZRANGE', untold, 0, -1, 'WITHSCORES')
for i = 1, #scored, 2 do
  local id, at = scored[i], tonumber(scored[i + 1])
  local fields = redis.call('HMGET', notice(id), 'content', 'waits', 'taken_by', 'taken_until')
  if not fields[1] then
    redis.call('ZREM', untold, id)
  elseif is_quiet and fields[2] == '1' then
    waiting = waiting + 1
  elseif is_free(tonumber(fields[4] or 0)) or fields[3] == taker then
    oldest = oldest or at
    free[#free + 1] = {id, digits(at), fields[1]}
  end
end
if not oldest or (oldest > ripe and oldest <= last) then return {oldest and digits(oldest) or false, waiting, #dropped, {}} end
for _, each in ipairs(free) do
  redis.call('HSET', notice(each[1]), 'taken_by', taker, 'taken_until', ARGV[9])
end
return {false, waiting, #dropped, free}

-- Take a call of the model, of those that all workers share. ARGV: again, time, keep, the holder, an address of ours,
-- how many may be in flight, how long the call may take, and how long an address counts as waiting. Returns 'taken',
-- 'full' or 'for_others': the rule of taking() in shared_calls.py.

local holder, address, most = ARGV[4], ARGV[5], tonumber(ARGV[6])
local lease, wanted = tonumber(ARGV[7]), tonumber(ARGV[8])
local calls, of = key('calls', ''), key('calls-of', '')
local waits, since = key('calls-wanted', ''), key('calls-wanted-since', '')

local function keep()
  for _, name in ipairs({calls, of, waits, since}) do redis.call('PEXPIRE', name, lease + wanted) end
end

-- What is over; and what would last for longer than it can, by a clock that was set back since.
local function over(name, longest)
  local names = redis.call('ZRANGEBYSCORE', name, '-inf', now)
  for _, each in ipairs(redis.call('ZRANGEBYSCORE', name, '(' .. now + longest, '+inf')) do names[#names + 1] = each end
  return names
end

for _, late in ipairs(over(calls, lease)) do
  redis.call('ZREM', calls, late)
  redis.call('HDEL', of, late)
end
for _, late in ipairs(over(waits, wanted)) do
  redis.call('ZREM', waits, late)
  redis.call('ZREM', since, late)
end

if redis.call('ZSCORE', calls, holder) then
  redis.call('ZADD', calls, now + lease, holder)
  keep()
  return 'taken'
end

local in_flight, names, count = {}, {[address] = true}, 0
for _, each in ipairs(redis.call('HVALS', of)) do
  in_flight[each] = (in_flight[each] or 0) + 1
  names[each] = true
  count = count + 1
end
local waiting = redis.call('ZRANGE', since, 0, -1) -- the one that waits longest first
for _, each in ipairs(waiting) do names[each] = true end
local addresses = 0
for _ in pairs(names) do addresses = addresses + 1 end

local taking, free = 'taken', most - count
if free <= 0 then
  taking = 'full'
else
  local share, kept = math.ceil(most / addresses), 0
  local is_in_line = (in_flight[address] or 0) < share
  for _, other in ipairs(waiting) do
    if other == address then
      if is_in_line then break end
    elseif (in_flight[other] or 0) < share then
      kept = kept + 1
    end
  end
  if free <= kept then taking = 'for_others' end
end
if taking == 'taken' then
  redis.call('ZADD', calls, now + lease, holder)
  redis.call('HSET', of, holder, address)
  redis.call('ZREM', waits, address)
  redis.call('ZREM', since, address)
else
  redis.call('ZADD', waits, now + wanted, address)
  redis.call('ZADD', since, 'NX', now, address)
end
keep()
return taking

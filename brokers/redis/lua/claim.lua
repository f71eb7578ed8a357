-- Hand out the next messages of a queue. ARGV: again, time, queue, owner, token, limit, host, pid.
-- Returns how long it is until the next delayed message is due, or -1, the time, and then for each message its id,
-- payload, deliveries, crashes, and when it was enqueued and became due. A process that gets nothing is
-- woken when there is something.

-- A bounded number of delayed messages become ready at a time, so that none holds up the server for long.
local PROMOTE_LIMIT = 500

although_memory_is_full()
local now = clock(ARGV[2])
local queue, owner, token, limit = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local ready, delayed, held = key('ready', queue), key('delayed', queue), held_key(queue, owner)

local is_paused = redis.call('SISMEMBER', base .. ':paused', queue) == 1

local function promote()
  local due = redis.call('ZRANGEBYSCORE', delayed, '-inf', digits(now), 'LIMIT', 0, PROMOTE_LIMIT)
  if #due == 0 then return end
  redis.call('ZREM', delayed, unpack(due))
  for _, id in ipairs(due) do
    local fields = redis.call('HMGET', key('message', id), 'priority', 'seq', 'due')
    redis.call('ZADD', ready, fields[1], member_of(id, fields[2], fields[3]))
  end
end

local function held_under_this_token()
  local all, found = redis.call('HGETALL', held), {}
  for i = 1, #all, 2 do
    if all[i + 1] == token then found[#found + 1] = all[i] end
  end
  return found
end

local function take()
  if redis.call('ZADD', base .. ':processes', 'NX', digits(clock('')), owner) == 1 then
    redis.call('HSET', key('process', owner), 'host', ARGV[7], 'pid', ARGV[8])
  end
  if is_paused then return {} end
  promote()
  local popped, ids, leases = redis.call('ZPOPMIN', ready, limit), {}, {}
  for i = 1, #popped, 2 do
    local id = id_of(popped[i])
    ids[#ids + 1] = id
    leases[#leases + 1] = id
    leases[#leases + 1] = token
    redis.call('HINCRBY', key('message', id), 'deliveries', 1)
  end
  if #ids > 0 then redis.call('HSET', held, unpack(leases)) end
  return ids
end

local ids = again and held_under_this_token() or {}
if #ids == 0 then ids = take() end

local answer = {-1, digits(now)}
if #ids == 0 then
  redis.call('SADD', key('waiting', queue), owner)
else
  redis.call('SREM', key('waiting', queue), owner)
  -- Some are left for others, who may have been woken in vain, or not at all.
  local left = redis.call('ZCARD', ready)
  if left > 0 then wake(queue, left) end
  for _, id in ipairs(ids) do
    local fields = redis.call('HMGET', key('message', id), 'deliveries', 'crashes', 'enqueued', 'due')
    answer[#answer + 1] = id
    -- Only a server that is allowed to evict keys ever loses a payload; what is left becomes a dead letter.
    answer[#answer + 1] = redis.call('GET', key('payload', id)) or ''
    for i = 1, 4 do answer[#answer + 1] = fields[i] end
  end
end
local next_due = redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES')
-- Whoever waits for a paused queue waits for its being resumed, whatever becomes due meanwhile.
if next_due[2] and not is_paused then answer[1] = math.max(0, tonumber(next_due[2]) - now) end
return answer

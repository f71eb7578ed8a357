-- Hand out the next messages of a queue. ARGV: again, time, queue, owner, token, limit, host, pid.
-- Returns how long it is until the next delayed message is due, or -1, the time, and then for each message its id,
-- payload, deliveries, crashes, and when it was enqueued and became due. Of a message that is not whole, what is
-- missing is nil: the caller makes it a dead letter. A process that gets nothing is woken when there is something.

-- A bounded number of delayed messages become ready at a time, so that none holds up the server for long.
local PROMOTE_LIMIT = 500

although_memory_is_full()
local now = clock(ARGV[2])
local queue, owner, token, limit = ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local ready, delayed, held = key('ready', queue), key('delayed', queue), held_key(queue, owner)

local is_paused = ask('SISMEMBER', base .. ':paused', queue) == 1

local function promote()
  local due = ask('ZRANGEBYSCORE', delayed, '-inf', digits(now), 'LIMIT', 0, PROMOTE_LIMIT)
  if #due == 0 then return end
  ask('ZREM', delayed, unpack(due))
  for _, id in ipairs(due) do
    local m = place_of(id, queue, now)
    ask('ZADD', ready, m.priority, member_of(id, m.seq, m.due))
  end
end

local function held_under_this_token()
  local all, found = ask('HGETALL', held), {}
  for i = 1, #all, 2 do
    if all[i + 1] == token then found[#found + 1] = all[i] end
  end
  return found
end

local function take()
  if ask('ZADD', base .. ':processes', 'NX', digits(clock('')), owner) == 1 then
    ask('HSET', key('process', owner), 'host', ARGV[7], 'pid', ARGV[8])
  end
  if is_paused then return {} end
  promote()
  local popped, ids, leases = ask('ZPOPMIN', ready, limit), {}, {}
  for i = 1, #popped, 2 do
    local id = id_of(popped[i])
    ids[#ids + 1] = id
    leases[#leases + 1] = id
    leases[#leases + 1] = token
    ask('HINCRBY', key('message', id), 'deliveries', 1)
  end
  if #ids > 0 then ask('HSET', held, unpack(leases)) end
  return ids
end

local ids = again and held_under_this_token() or {}
if #ids == 0 then ids = take() end

local answer = {-1, digits(now)}
if #ids == 0 then
  ask('SADD', key('waiting', queue), owner)
else
  ask('SREM', key('waiting', queue), owner)
  -- Some are left for others, who may have been woken in vain, or not at all.
  local left = ask('ZCARD', ready)
  if left > 0 then wake(queue, left) end
  for _, id in ipairs(ids) do
    local fields = ask('HMGET', key('message', id), 'deliveries', 'crashes', 'enqueued', 'due')
    answer[#answer + 1] = id
    answer[#answer + 1] = ask('GET', key('payload', id))
    for i = 1, 4 do answer[#answer + 1] = fields[i] end
  end
end
local next_due = ask('ZRANGE', delayed, 0, 0, 'WITHSCORES')
-- A process that waits for a paused queue waits until the queue is resumed, whatever becomes due meanwhile.
if next_due[2] and not is_paused then answer[1] = math.max(0, (number(next_due[2]) or now) - now) end
return answer

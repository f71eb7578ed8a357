-- What every script of the queue begins with, after base.lua: the keys, and the few steps that several
-- scripts share. Times are of the server's clock.
--
--   {ns}:message:<id>          hash    a live message: queue, actor, priority, seq, due, enqueued,
--                                      deliveries, crashes, error
--   {ns}:payload:<id>          string  its payload
--   {ns}:ready:<queue>         zset    who may run now. Score: priority. Member: <due>:<seq>:<id>, all digits
--                                      padded, so that equal priorities run by due time
--   {ns}:delayed:<queue>       zset    who has to wait. Score: due. Member: id
--   {ns}:held:<queue>:<owner>  hash    who is running, or about to, in one process: id -> token
--   {ns}:dead:<queue>          zset    dead letters. Score: time of death. Member: id
--   {ns}:dead-letter:<id>      hash    what the message's hash was, and: reason, died
--   {ns}:dead-payload:<id>     string  its payload
--   {ns}:died:<queue>          hash    reason -> dead letters it made since the beginning
--   {ns}:queues                hash    every queue known -> messages done since the beginning
--   {ns}:paused                set     queues that hand out nothing
--   {ns}:waiting:<queue>       set     owners that found nothing and want to be woken
--   {ns}:bell:<owner>          channel names a queue worth looking at
--   {ns}:processes             zset    consuming processes. Score: last heartbeat. Member: owner
--   {ns}:process:<owner>       hash    host, pid
--   {ns}:started:<owner>       hash    one field for each worker thread: <token>:<id> of what it runs, or ran
--   {ns}:unique:<key>          string  <expires>:<id> of the message that has this unique key
--   {ns}:receipt:<call>, {ns}:repeated, {ns}:sequence: see base.lua. The sequence keeps messages in order
--                                      that come in one millisecond
--   {ns}:checked               string  when the server last proved that it takes writes

local function held_key(queue, owner)
  return key('held', queue) .. ':' .. owner
end

-- Wake so many waiting processes, each of them once. Those that died meanwhile do not hear it.
local function wake(queue, count)
  local waiting = key('waiting', queue)
  while count > 0 do
    local owner = redis.call('SPOP', waiting)
    if not owner then return end
    if redis.call('PUBLISH', key('bell', owner), queue) > 0 then count = count - 1 end
  end
end

-- Members of a ready set, and where they keep their parts.
local function member_of(id, seq, due) return string.format('%013.0f:%012.0f:%s', due, seq, id) end
local function due_of(member) return tonumber(string.sub(member, 1, 13)) end
local function id_of(member) return string.sub(member, 28) end

-- Put a message where its due time says, and wake whom that concerns: for a ready message one process, for
-- one that becomes due before all others every one, because each waits until the next is due.
local function line_up(id, queue, priority, seq, due, now)
  if due <= now then
    redis.call('ZADD', key('ready', queue), priority, member_of(id, seq, due))
    wake(queue, 1)
  else
    local delayed = key('delayed', queue)
    redis.call('ZADD', delayed, digits(due), id)
    if redis.call('ZRANGE', delayed, 0, 0)[1] == id then
      wake(queue, redis.call('SCARD', key('waiting', queue)))
    end
  end
end

-- Put a held message back as it was, due no earlier than `due`. The caller lets go of it.
local function put_back(id, due, now)
  local message = key('message', id)
  local fields = redis.call('HMGET', message, 'queue', 'priority', 'seq', 'due')
  local latest = math.max(due, tonumber(fields[4]))
  redis.call('HSET', message, 'due', digits(latest))
  line_up(id, fields[1], fields[2], tonumber(fields[3]), latest, now)
end

-- Make a live message a dead letter; one that died before under this id is forgotten.
local function bury(id, queue, reason, error, now)
  local letter = key('dead-letter', id)
  local former_queue = redis.call('HGET', letter, 'queue')
  if former_queue then redis.call('ZREM', key('dead', former_queue), id) end
  redis.call('RENAME', key('message', id), letter)
  redis.call('RENAME', key('payload', id), key('dead-payload', id))
  redis.call('HSET', letter, 'reason', reason, 'died', digits(now))
  if error ~= '' then redis.call('HSET', letter, 'error', error) end
  redis.call('ZADD', key('dead', queue), digits(now), id)
  redis.call('HINCRBY', key('died', queue), reason, 1)
end

-- Store a new message, and return whether it was new. `m` has the fields of its hash, and id, payload,
-- unique_key and unique_for.
local function store(m, now)
  local message = key('message', m.id)
  if redis.call('EXISTS', message) == 1 then return false end
  if m.unique_key ~= '' then
    local taken = redis.call('GET', key('unique', m.unique_key))
    if taken and tonumber(string.match(taken, '^%d+')) > now then return false end
    local expires = digits(now + m.unique_for) .. ':' .. m.id
    redis.call('SET', key('unique', m.unique_key), expires, 'PX', math.max(1, m.unique_for))
  end
  local seq = next_in_sequence()
  redis.call('HSET', message, 'queue', m.queue, 'actor', m.actor, 'priority', m.priority, 'seq', seq,
    'due', digits(m.due), 'enqueued', digits(m.enqueued), 'deliveries', m.deliveries, 'crashes', m.crashes)
  if m.error ~= '' then redis.call('HSET', message, 'error', m.error) end
  redis.call('SET', key('payload', m.id), m.payload)
  redis.call('HSETNX', base .. ':queues', m.queue, 0)
  line_up(m.id, m.queue, m.priority, seq, m.due, now)
  return true
end

-- Give back what a process held. When it died, what it was running has one crash more to its name.
-- Returns how many messages that were.
local function take_over(owner, now, died, max_deliveries, why)
  local suspects = {}
  if died then
    for _, mark in ipairs(redis.call('HVALS', key('started', owner))) do suspects[mark] = true end
  end
  local total = 0
  for _, queue in ipairs(redis.call('HKEYS', base .. ':queues')) do
    redis.call('SREM', key('waiting', queue), owner)
    local held = redis.call('HGETALL', held_key(queue, owner))
    redis.call('DEL', held_key(queue, owner))
    for i = 1, #held, 2 do
      local id, token = held[i], held[i + 1]
      local message = key('message', id)
      if suspects[token .. ':' .. id] then
        local crashes = redis.call('HINCRBY', message, 'crashes', 1)
        if crashes >= max_deliveries then
          bury(id, queue, 'max_deliveries', why, now)
        else
          redis.call('HSET', message, 'error', why)
          put_back(id, 0, now)
        end
      else
        redis.call('HINCRBY', message, 'deliveries', -1)
        put_back(id, 0, now)
      end
    end
    total = total + #held / 2
  end
  redis.call('DEL', key('started', owner), key('process', owner))
  redis.call('ZREM', base .. ':processes', owner)
  return total
end

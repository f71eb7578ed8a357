-- What every script of the queue begins with, after base.lua: the keys, and the few steps that several
-- scripts share. Times are of the server's clock.
--
--   {ns}:message:<id>          hash    a live message: queue, actor, priority, seq, due, enqueued,
--                                      deliveries, crashes, error
--   {ns}:payload:<id>          string  its payload
--   {ns}:ready:<queue>         zset    who may run now. Score: priority. Member: <due>:<seq>:<id>, all digits
--                                      padded, so that equal priorities run by due time
--   {ns}:delayed:<queue>       zset    who has to wait. Score: due. Member: id
--   {ns}:tried:<queue>         zset    of these two, and of those running, who was tried before. Score: enqueued.
--                                      Member: id
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

-- Make a message wait until it is due. One that is due before all others wakes every process, because each of
-- them waits until the next is due.
local function delay(m)
  local delayed = key('delayed', m.queue)
  redis.call('ZADD', delayed, digits(m.due), m.id)
  if redis.call('ZRANGE', delayed, 0, 0)[1] == m.id then
    wake(m.queue, redis.call('SCARD', key('waiting', m.queue)))
  end
end

-- Put messages where their due times say, and wake whom that concerns: for each ready one a process. Of a message
-- id, queue, priority, seq and due are needed.
local function line_up_all(messages, now)
  local ready = {}
  for _, m in ipairs(messages) do
    if m.due > now then
      delay(m)
    else
      local members = ready[m.queue] or {}
      ready[m.queue] = members
      members[#members + 1] = m.priority
      members[#members + 1] = member_of(m.id, m.seq, m.due)
    end
  end
  for queue, members in pairs(ready) do
    redis.call('ZADD', key('ready', queue), unpack(members))
    wake(queue, #members / 2)
  end
end

local function line_up(id, queue, priority, seq, due, now)
  line_up_all({{id = id, queue = queue, priority = priority, seq = seq, due = due}}, now)
end

-- Put a held message back as it was, due no earlier than `due`. The caller lets go of it.
local function put_back(id, due, now)
  local message = key('message', id)
  local fields = redis.call('HMGET', message, 'queue', 'priority', 'seq', 'due', 'enqueued', 'deliveries')
  if tonumber(fields[6]) > 0 then redis.call('ZADD', key('tried', fields[1]), fields[5], id) end
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
  redis.call('ZREM', key('tried', queue), id)
  redis.call('ZADD', key('dead', queue), digits(now), id)
  redis.call('HINCRBY', key('died', queue), reason, 1)
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

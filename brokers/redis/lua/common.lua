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
--   {ns}:process:<owner>       hash    host, pid, and when it started
--   {ns}:started:<owner>       hash    one field for each worker thread: <token>:<id> of what it runs, or ran
--   {ns}:unique:<key>          string  <expires>:<id> of the message that has this unique key
--   {ns}:receipt:<call>, {ns}:repeated, {ns}:sequence: see base.lua. The sequence keeps messages in order
--                                      that come in one millisecond
--   {ns}:astray                zset    messages that no set names. Score: when that was noticed. Member: id
--   {ns}:looked, {ns}:look-at  string  when orphans.lua last looked, and where it goes on
--   {ns}:checked               string  when the server last proved that it takes writes
--   {ns}:clock                 string  the time that the server's clock showed when it was last looked at
--   {ns}:clock-set-back        string  how many delays followed a clock that was set back and are not in a log yet
--   {ns}:kept-since            string  when the namespace began. Another value than before means that the server was
--                                      emptied, or started without its file
--
-- A server that may evict keys can lose any of these, and another program can change them. No script may fail
-- halfway for what a key holds, and no message may suffer but the one whose own keys it is: see ask() in
-- base.lua, place_of() for a message whose hash is not whole, and orphans.lua for one that no set names any more.
-- Ids are bytes, whatever they are: they are never formatted with %s, which ends at a NUL.

-- By how much the clock is set back at least, in milliseconds, before anything is done about it.
local CLOCK_TOLERANCE_MS = 1000

-- How many messages follow it at a time: a command takes no more than a few thousand arguments from a script.
local FOLLOW_AT_ONCE = 500

local function held_key(queue, owner)
  return key('held', queue) .. ':' .. owner
end

-- Since when the server has kept this namespace. What is written never changes, unless all is gone.
local function kept_since()
  ask('SET', base .. ':kept-since', digits(clock('')), 'NX')
  return ask('GET', base .. ':kept-since') or ''
end

-- Wake so many waiting processes, each of them once. Those that died meanwhile do not hear it.
local function wake(queue, count)
  local waiting = key('waiting', queue)
  while count > 0 do
    local owner = ask('SPOP', waiting)
    if not owner then return end
    if ask('PUBLISH', key('bell', owner), queue) > 0 then count = count - 1 end
  end
end

-- Members of a ready set, and where they keep their parts.
local function member_of(id, seq, due) return string.format('%013.0f:%012.0f:', due, seq) .. id end
local function due_of(member) return number(string.sub(member, 1, 13)) or 0 end
local function id_of(member) return string.sub(member, 28) end

-- Where a message belongs, as its hash says. Where that is not whole, the message is ready, and when it is
-- claimed it is found to be not whole, and becomes a dead letter.
local function place_of(id, queue, now)
  local fields = ask('HMGET', key('message', id), 'queue', 'priority', 'seq', 'due', 'enqueued', 'deliveries')
  return {
    id = id, queue = fields[1] or queue, priority = number(fields[2]) or 0, seq = number(fields[3]) or 0,
    due = number(fields[4]) or now, enqueued = number(fields[5]) or now, deliveries = number(fields[6]) or 0,
  }
end

-- Note that a message waits which was tried before: how long it has waited counts from when it was enqueued.
local function note_tried(m)
  if m.deliveries > 0 then ask('ZADD', key('tried', m.queue), digits(m.enqueued), m.id) end
end

-- Have what waits in a queue follow a clock that showed `before` and shows `now`: what was not due by then waits for
-- as long as it would have, and what was is due now. The order stays, so that a rank is the same one all along.
-- Returns how many messages that were.
local function follow_in(queue, before, now)
  local delayed = key('delayed', queue)
  local total = ask('ZCARD', delayed)
  local first = total - ask('ZCOUNT', delayed, '(' .. digits(now), '+inf')
  for rank = first, total - 1, FOLLOW_AT_ONCE do
    local late, moved = ask('ZRANGE', delayed, rank, rank + FOLLOW_AT_ONCE - 1, 'WITHSCORES'), {}
    for i = 1, #late, 2 do
      local message, due = key('message', late[i]), digits(math.max(now, (number(late[i + 1]) or now) - before + now))
      if ask('EXISTS', message) == 1 then ask('HSET', message, 'due', due) end
      moved[i], moved[i + 1] = due, late[i]
    end
    ask('ZADD', delayed, unpack(moved))
  end
  if first < total then wake(queue, ask('SCARD', key('waiting', queue))) end
  return total - first
end

-- Note the time, and follow the server's clock when it was set back. Delays and silences are kept by it: without this
-- a message would wait, and a dead process be taken for a living one, until it shows the former time again.
local function follow_clock()
  local now, noted = clock(''), base .. ':clock'
  local before = number(ask('GET', noted)) or 0
  if math.abs(now - before) <= CLOCK_TOLERANCE_MS then return end
  ask('SET', noted, digits(now))
  if before < now then return end
  local processes, count = base .. ':processes', 0
  for _, owner in ipairs(ask('ZRANGEBYSCORE', processes, '(' .. digits(now), '+inf')) do
    ask('ZADD', processes, digits(now), owner)
  end
  for _, queue in ipairs(ask('HKEYS', base .. ':queues')) do count = count + follow_in(queue, before, now) end
  ask('DEL', base .. ':looked')
  if count > 0 then ask('INCRBY', base .. ':clock-set-back', count) end
end

-- Make a message wait until it is due. One that is due before all others wakes every process, because each of
-- them waits until the next is due.
local function delay(m)
  follow_clock()  -- first: what is due by the former clock is told from this by its time
  local delayed = key('delayed', m.queue)
  ask('ZADD', delayed, digits(m.due), m.id)
  if ask('ZRANGE', delayed, 0, 0)[1] == m.id then
    wake(m.queue, ask('SCARD', key('waiting', m.queue)))
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
    ask('ZADD', key('ready', queue), unpack(members))
    wake(queue, #members / 2)
  end
end

local function line_up(m, now)
  line_up_all({m}, now)
end

-- Put a held message back as it was, due no earlier than `due`. The caller lets go of it. It was due when it was
-- claimed, also by a clock that was set back since.
local function put_back(id, queue, due, now)
  local m = place_of(id, queue, now)
  m.due = math.max(due, math.min(m.due, now))
  note_tried(m)
  ask('HSET', key('message', id), 'due', digits(m.due))
  line_up(m, now)
end

-- Make a live message a dead letter, with as much of it as there is; one that died before under this id is
-- forgotten.
local function bury(id, queue, reason, error, now)
  local message, letter = key('message', id), key('dead-letter', id)
  local payload, dead_payload = key('payload', id), key('dead-payload', id)
  local former_queue = ask('HGET', letter, 'queue')
  local fields = ask('HMGET', message, 'queue', 'actor', 'priority', 'deliveries', 'crashes', 'enqueued', 'due')
  ask('ZREM', key('tried', queue), id)
  if former_queue and not fields[1] and ask('EXISTS', payload) == 0 then
    ask('UNLINK', message)  -- nothing is left of it: its dead letter is it already
    return
  end
  if former_queue then ask('ZREM', key('dead', former_queue), id) end
  if ask('EXISTS', message) == 1 then ask('RENAME', message, letter) else ask('DEL', letter) end
  ask('HSET', letter, 'queue', fields[1] or queue, 'actor', fields[2] or '', 'priority', number(fields[3]) or 0,
    'deliveries', number(fields[4]) or 0, 'crashes', number(fields[5]) or 0,
    'enqueued', digits(number(fields[6]) or now), 'due', digits(number(fields[7]) or now),
    'reason', reason, 'died', digits(now))
  if error ~= '' then ask('HSET', letter, 'error', error) end
  if ask('EXISTS', payload) == 1 then ask('RENAME', payload, dead_payload) else ask('DEL', dead_payload) end
  ask('ZADD', key('dead', queue), digits(now), id)
  ask('HINCRBY', key('died', queue), reason, 1)
end

-- Give back what a process held. When it died, what it was running has one crash more to its name.
-- Returns how many messages that were.
local function take_over(owner, now, died, max_deliveries, why)
  local suspects = {}
  if died then
    for _, mark in ipairs(ask('HVALS', key('started', owner))) do suspects[mark] = true end
  end
  local total = 0
  for _, queue in ipairs(ask('HKEYS', base .. ':queues')) do
    ask('SREM', key('waiting', queue), owner)
    local held = ask('HGETALL', held_key(queue, owner))
    ask('DEL', held_key(queue, owner))
    for i = 1, #held, 2 do
      local id, token = held[i], held[i + 1]
      local message = key('message', id)
      if suspects[token .. ':' .. id] then
        local crashes = ask('HINCRBY', message, 'crashes', 1)
        if crashes > max_deliveries then -- its next consumer sets it aside, unless that is its end too
          bury(id, queue, 'max_deliveries', why, now)
        else
          ask('HSET', message, 'error', why)
          put_back(id, queue, 0, now)
        end
      else
        ask('HINCRBY', message, 'deliveries', -1)
        put_back(id, queue, 0, now)
      end
    end
    total = total + #held / 2
  end
  ask('DEL', key('started', owner), key('process', owner))
  ask('ZREM', base .. ':processes', owner)
  return total
end

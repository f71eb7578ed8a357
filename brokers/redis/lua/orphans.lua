-- Look at some of the server's keys for messages that no set names, because the set was lost or its message's hash
-- was, and for dead letters likewise. ARGV: again, time, how many keys to look at, how long to leave others alone
-- after that, and for how long a message must have been astray. Returns how many messages went back.
--
-- A message that is astray is noted first. A process that lost its place among the processes has time to beat again
-- before what it runs is taken from it.

although_memory_is_full()
local now, count, pause, patience = clock(ARGV[2]), ARGV[3], ARGV[4], tonumber(ARGV[5])
local looked, cursor, astray = base .. ':looked', base .. ':look-at', base .. ':astray'
local WHY = 'Redis has lost this message, or a part of it. See that it may evict nothing (maxmemory-policy noeviction).'

if not ask('SET', looked, digits(now), 'NX', 'PX', pause) then return 0 end

local queues, owners = ask('HKEYS', base .. ':queues'), ask('ZRANGE', base .. ':processes', 0, -1)
local is_known = {}
for _, queue in ipairs(queues) do is_known[queue] = true end

-- See that a queue is among those that are known.
local function know(queue)
  if is_known[queue] then return end
  ask('HSETNX', base .. ':queues', queue, 0)
  queues[#queues + 1], is_known[queue] = queue, true
end

-- The ids that processes hold, of all queues; looked up once, when they are first needed.
local held

local function is_held(id)
  if not held then
    held = {}
    for _, queue in ipairs(queues) do
      for _, owner in ipairs(owners) do
        for _, each in ipairs(ask('HKEYS', held_key(queue, owner))) do held[each] = true end
      end
    end
  end
  return held[id]
end

-- Whether a message has been astray for long enough.
local function is_lost(id)
  if is_held(id) then return false end
  ask('ZADD', astray, 'NX', digits(now), id)
  if tonumber(ask('ZSCORE', astray, id)) > now - patience then return false end
  ask('ZREM', astray, id)
  return true
end

local function look_at_message(id)
  if ask('HLEN', key('message', id)) == 0 then return 0 end  -- it was no hash, and is none any more
  local m = place_of(id, queues[1] or 'default', now)
  know(m.queue)
  if ask('ZSCORE', key('ready', m.queue), member_of(id, m.seq, m.due)) then return 0 end
  if ask('ZSCORE', key('delayed', m.queue), id) or not is_lost(id) then return 0 end
  line_up(m, now)
  return 1
end

-- A payload whose message has no hash any more. It may say itself which queue it was in.
local function look_at_payload(id)
  if ask('EXISTS', key('message', id)) == 1 or not is_lost(id) then return 0 end
  local is_json, message = pcall(cjson.decode, ask('GET', key('payload', id)) or '')
  local queue = is_json and type(message) == 'table' and message.queue_name
  queue = type(queue) == 'string' and queue or queues[1] or 'default'
  know(queue)
  bury(id, queue, 'undecodable', WHY, now)
  return 1
end

local function look_at_dead_letter(id)
  local fields = ask('HMGET', key('dead-letter', id), 'queue', 'died')
  local queue = fields[1] or queues[1] or 'default'
  know(queue)
  if ask('ZSCORE', key('dead', queue), id) then return 0 end
  if not fields[1] then ask('HSET', key('dead-letter', id), 'queue', queue) end
  ask('ZADD', key('dead', queue), number(fields[2]) or now, id)
  return 1
end

local looks = {message = look_at_message, payload = look_at_payload, ['dead-letter'] = look_at_dead_letter}
local ours = string.gsub(base, '[%[%]%*%?\\]', '\\%0') .. ':*'
local from = string.match(ask('GET', cursor) or '', '^%d+$') or '0'
local page = ask('SCAN', from, 'MATCH', ours, 'COUNT', count)
ask('SET', cursor, page[1])
local total = 0
for _, name in ipairs(page[2]) do
  local kind, id = string.match(string.sub(name, #base + 2), '^([%a-]+):(.*)$')
  if looks[kind] then total = total + looks[kind](id) end
end
ask('ZREMRANGEBYSCORE', astray, '-inf', digits(now - 100 * patience))
return total

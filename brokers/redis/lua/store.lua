-- For scripts that bring in messages. What many need at once is asked for or done once: each redis.call costs as
-- much as the work of a small one.

-- Which of these messages are there already, by id.
local function stored_before(messages)
  local names, before = {}, {}
  for i, m in ipairs(messages) do names[i] = key('message', m.id) end
  if ask('EXISTS', unpack(names)) > 0 then
    for i, m in ipairs(messages) do before[m.id] = ask('EXISTS', names[i]) == 1 end
  end
  return before
end

-- Take a message's unique key, if it has one. Returns false when another has it.
local function take_unique_key(m, now)
  if m.unique_key == '' then return true end
  local taken = ask('GET', key('unique', m.unique_key))
  if taken and (number(string.match(taken, '^%d+')) or 0) > now then return false end
  local holder = digits(now + m.unique_for) .. ':' .. m.id
  ask('SET', key('unique', m.unique_key), holder, 'PX', math.max(1, m.unique_for))
  return true
end

-- Store new messages, and return for each whether it was new. Of two with one id only the first is. A message has
-- the fields of its hash, and id, payload, unique_key and unique_for.
local function store_all(messages, now)
  local known, new, answers = stored_before(messages), {}, {}
  for i, m in ipairs(messages) do
    answers[i] = not known[m.id] and take_unique_key(m, now)
    if answers[i] then
      known[m.id] = true
      new[#new + 1] = m
    end
  end
  if #new == 0 then return answers end
  local seq = ask('INCRBY', base .. ':sequence', #new) - #new
  local payloads, queues, now_digits = {}, {}, digits(now)
  local function time(at) return at == now and now_digits or digits(at) end
  for i, m in ipairs(new) do
    m.seq = seq + i
    -- Without ask(): nothing is under these keys, and MSET minds no type.
    redis.call('HSET', key('message', m.id), 'queue', m.queue, 'actor', m.actor, 'priority', m.priority,
      'seq', m.seq, 'due', time(m.due), 'enqueued', time(m.enqueued),
      'deliveries', m.deliveries, 'crashes', m.crashes)
    if number(m.deliveries) > 0 then ask('ZADD', key('tried', m.queue), time(m.enqueued), m.id) end
    if m.error ~= '' then ask('HSET', key('message', m.id), 'error', m.error) end
    payloads[2 * i - 1], payloads[2 * i] = key('payload', m.id), m.payload
    queues[m.queue] = true
  end
  redis.call('MSET', unpack(payloads))
  for queue in pairs(queues) do ask('HSETNX', base .. ':queues', queue, 0) end
  line_up_all(new, now)
  return answers
end

local function store(m, now)
  return store_all({m}, now)[1]
end

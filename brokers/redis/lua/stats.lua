-- Count. ARGV: again, time. Returns for each queue its name, how many messages are ready, delayed, running, dead
-- and done, the time, when the longest waiting one became due, when the oldest came in that was tried before ('' for none),
-- whether it is paused, and how many died of what.

-- Each priority's head, hopping from one to the next, and what is due and was not yet made ready.
local function oldest_due(ready, delayed, now)
  local overdue = ask('ZRANGEBYSCORE', delayed, '-inf', digits(now), 'WITHSCORES', 'LIMIT', 0, 1)
  local oldest = number(overdue[2])
  local head = ask('ZRANGE', ready, 0, 0, 'WITHSCORES')
  while head[1] do
    local due = due_of(head[1])
    if not oldest or due < oldest then oldest = due end
    head = ask('ZRANGEBYSCORE', ready, '(' .. head[2], '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  end
  return oldest and digits(oldest) or ''
end

-- The head of those that were tried before. What is gone is taken out: a worker of an older version, which does
-- not know the set, may have finished it.
local function oldest_tried(tried)
  local head = ask('ZRANGE', tried, 0, 0, 'WITHSCORES')
  while head[1] and ask('EXISTS', key('message', head[1])) == 0 do
    ask('ZREM', tried, head[1])
    head = ask('ZRANGE', tried, 0, 0, 'WITHSCORES')
  end
  return head[2] and digits(tonumber(head[2])) or ''
end

local now = clock(ARGV[2])
local owners = ask('ZRANGE', base .. ':processes', 0, -1)
local queues, answer = ask('HGETALL', base .. ':queues'), {}
for i = 1, #queues, 2 do
  local queue, running = queues[i], 0
  for _, owner in ipairs(owners) do running = running + ask('HLEN', held_key(queue, owner)) end
  for _, figure in ipairs({
    queue,
    ask('ZCARD', key('ready', queue)),
    ask('ZCARD', key('delayed', queue)),
    running,
    ask('ZCARD', key('dead', queue)),
    number(queues[i + 1]) or 0,
    digits(now),
    oldest_due(key('ready', queue), key('delayed', queue), now),
    oldest_tried(key('tried', queue)),
    ask('SISMEMBER', base .. ':paused', queue),
    ask('HGETALL', key('died', queue)),
  }) do
    answer[#answer + 1] = figure
  end
end
return answer

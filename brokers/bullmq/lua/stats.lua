-- Count every queue. ARGV: again, time. Returns for each its name, how many are ready, delayed, running, dead, and how
-- many were done, the time, when the longest waiting became due, since when the longest waiting of those waits that were
-- tried before, whether it is paused, and how many dead letters it made, by reason.

local now = clock(ARGV[2])

local function earlier(one, other)
  if one and other then return math.min(one, other) end
  return one or other
end

local function became_due(queue, id)
  if not id then return end
  local due, timestamp = unpack(redis.call('HMGET', place(queue, id), 'rc:due', 'timestamp'))
  return number(due) or number(timestamp)
end

-- Jobs of one priority are in the order in which they came: the first of each is the oldest.
local function oldest_prioritized(queue)
  local name, oldest, from = place(queue, 'prioritized'), nil, '-inf'
  while true do
    local first = redis.call('ZRANGEBYSCORE', name, from, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
    if not first[1] then return oldest end
    oldest = earlier(oldest, became_due(queue, first[1]))
    from = digits((math.floor(tonumber(first[2]) / 4294967296) + 1) * 4294967296)
  end
end

local function oldest_due(queue)
  local waiting = became_due(queue, redis.call('LINDEX', place(queue, 'wait'), -1))
  local oldest = earlier(waiting, oldest_prioritized(queue))
  local next_due = tonumber(redis.call('ZRANGE', place(queue, 'delayed'), 0, 0, 'WITHSCORES')[2])
  next_due = next_due and math.floor(next_due / 4096)
  return next_due and next_due <= now and earlier(oldest, next_due) or oldest
end

-- Another program may have done or removed a job since it was noted: such entries are dropped here.
local function oldest_tried(queue)
  while true do
    local id, since = unpack(redis.call('ZRANGE', tried(queue), 0, 0, 'WITHSCORES'))
    if not id then return end
    local job = fields_of(queue, id)
    local is_running = lock_of(queue, id) and true or false
    if number(job.timestamp) == tonumber(since) and not job.finishedOn and standing(id, job, is_running) > 0 then
      return tonumber(since)
    end
    redis.call('ZREM', tried(queue), id)
  end
end

local answer = {}
for _, queue in ipairs(queues()) do
  local function length(name) return redis.call('LLEN', place(queue, name)) end
  local function size(name) return redis.call('ZCARD', place(queue, name)) end
  local tried_since, oldest = oldest_tried(queue), oldest_due(queue)
  local counts = {
    queue, length('wait') + length('paused') + size('prioritized'), size('delayed'), length('active'), size('failed'),
    redis.call('HGET', place(queue, 'metrics:completed'), 'count') or '0', digits(now),
    oldest and digits(oldest) or '', tried_since and digits(tried_since) or '', is_paused(queue) and 1 or 0,
    redis.call('HGETALL', key('died', queue)),
  }
  for _, each in ipairs(counts) do answer[#answer + 1] = each end
end
return answer

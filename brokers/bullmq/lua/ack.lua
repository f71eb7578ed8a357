-- Messages are done. ARGV: again, time, owner, how many completed jobs to keep, and for each claim the queue, the token,
-- how many, and their ids.

although_memory_is_full()
local now, owner, keep = clock(ARGV[2]), ARGV[3], tonumber(ARGV[4])

-- What is kept of jobs that are done: as the other program asked that added this one, or as it is set here.
local function kept(form, options)
  if form or not options then return {count = keep} end
  local ok, decoded = pcall(cjson.decode, options)
  local wish = ok and type(decoded) == 'table' and decoded.removeOnComplete
  if wish == true then return {count = 0} end
  if type(wish) == 'number' then return {count = wish} end
  if type(wish) == 'table' then return wish end
  return {count = keep}
end

local function complete(queue, id, lock)
  local name = place(queue, id)
  local form, options, deliveries = unpack(redis.call('HMGET', name, 'rc:form', 'opts', 'ats'))
  local packed = cmsgpack.pack({
    token = lock, keepJobs = kept(form, options), attempts = 1, maxMetricsSize = METRICS_MINUTES,
  })
  local arguments = {id, digits(now), 'returnvalue', 'null', 'completed', '', start_of(queue), packed}
  local answer = moveToFinished(queue, arguments, id, 'completed')
  if answer == -2 and holds(queue, id, lock) then answer = moveToFinished(queue, arguments, id, 'completed') end
  if answer == -4 or answer == -9 then  -- a parent of other jobs, of which one is not done
    bury(queue, id, lock, 'failed', '["A child of this job failed, or is not done."]', now)
  end
  if answer ~= 0 then return end
  if (number(deliveries) or 0) > 1 then redis.call('ZREM', tried(queue), id) end
  if redis.call('EXISTS', name) == 1 then redis.call('HDEL', name, 'rc:held') end
end

local i = 5
while i < #ARGV do
  local queue, lock, count = ARGV[i], owner .. ':' .. ARGV[i + 1], tonumber(ARGV[i + 2])
  for at = i + 3, i + 2 + count do complete(queue, ARGV[at], lock) end
  -- BullMQ's own workers take the next job along with this; where it limits how many run, nobody else is told.
  if redis.call('HEXISTS', place(queue, 'meta'), 'concurrency') == 1 then wake(queue) end
  i = i + 3 + count
end

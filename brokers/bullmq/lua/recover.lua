-- For scripts that look after jobs whose locks have ended, and whose worker is dead therefore, or as good as dead.

-- More stalls than any job will have. How often a worker may die under a message is decided when it is claimed, and does
-- not count every stall; of a job that another program held BullMQ's own rule holds, with our limit.
local ANY_NUMBER = 2000000000

-- Whether a job has been without a lock for so long. A worker that lives, and was kept from the server, makes it anew.
local function is_stalled(queue, id, now, grace)
  if lock_of(queue, id) then return false end
  local name = place(queue, id)
  redis.call('HSETNX', name, 'rc:lapsed', digits(now))
  return now - (number(redis.call('HGET', name, 'rc:lapsed')) or 0) >= grace
end

-- Have BullMQ give back these jobs of a queue, and no others that it may have marked already.
local function give_back(queue, ids, now, limit)
  if #ids == 0 then return end
  local marked = place(queue, 'stalled')
  redis.call('DEL', marked, place(queue, 'stalled-check'))
  for _, id in ipairs(ids) do redis.call('SADD', marked, id) end
  -- The time until the next check is one millisecond: that of other workers is not put off.
  moveStalledJobsToWait(queue, {limit, start_of(queue), digits(now), 1})
  for _, id in ipairs(ids) do
    redis.call('HDEL', place(queue, id), 'rc:lapsed')
    local job = fields_of(queue, id)
    if job.timestamp and standing(id, job, false) > 0 then
      redis.call('ZADD', tried(queue), digits(number(job.timestamp) or now), id)
    end
  end
end

-- Have BullMQ give back the jobs of a queue that have run without a lock for so many milliseconds. Returns how many
-- there were.
local function recover(queue, now, max_deliveries, grace)
  local stalled = {}
  for _, id in ipairs(redis.call('LRANGE', place(queue, 'active'), 0, -1)) do
    if is_stalled(queue, id, now, grace) then stalled[#stalled + 1] = id end
  end
  local ours, theirs = {}, {}
  for _, id in ipairs(stalled) do
    local job = fields_of(queue, id)
    job.stc = digits((number(job.stc) or 0) + 1)
    local deliveries, crashes, _, has_died = standing(id, job, false)
    if crashes > max_deliveries and has_died then -- its next worker would set it aside, unless that is its end too
      bury(queue, id, '0', 'max_deliveries', DIED_STACK, now, {'stc', job.stc, 'ats', digits(deliveries)})
    elseif job['rc:held'] then
      ours[#ours + 1] = id
    else
      theirs[#theirs + 1] = id
    end
  end
  give_back(queue, ours, now, ANY_NUMBER)
  give_back(queue, theirs, now, max_deliveries)
  return #stalled
end

-- For scripts that look after jobs whose locks have ended, and whose worker is dead therefore, or as good as dead.

-- More stalls than any job will have: how often a worker may die under it is decided when it is claimed.
local ANY_NUMBER = 2000000000

-- Whether a job has been without a lock for so long. A worker that lives, and was kept from the server, makes it anew.
local function is_stalled(queue, id, now, grace)
  if lock_of(queue, id) then return false end
  local name = place(queue, id)
  redis.call('HSETNX', name, 'rc:lapsed', digits(now))
  return now - (number(redis.call('HGET', name, 'rc:lapsed')) or 0) >= grace
end

-- Have BullMQ give back the jobs of a queue that have run without a lock for so many milliseconds. Returns how many
-- there were.
local function recover(queue, now, max_deliveries, grace)
  local stalled = {}
  for _, id in ipairs(redis.call('LRANGE', place(queue, 'active'), 0, -1)) do
    if is_stalled(queue, id, now, grace) then stalled[#stalled + 1] = id end
  end
  if #stalled == 0 then return 0 end
  redis.call('DEL', place(queue, 'stalled-check'))  -- the check need not wait for its turn
  for _, id in ipairs(stalled) do
    local job = fields_of(queue, id)
    job.stc = digits((number(job.stc) or 0) + 1)
    local deliveries, crashes, _, has_died = standing(id, job, false)
    if crashes > max_deliveries and has_died then -- its next worker would set it aside, unless that is its end too
      local record = {'stc', job.stc, 'ats', digits(deliveries)}
      bury(queue, id, '0', 'max_deliveries', DIED_STACK, now, record)
    else
      redis.call('SADD', place(queue, 'stalled'), id)
    end
  end
  -- The time until the next check is one millisecond: that of other workers is not put off.
  moveStalledJobsToWait(queue, {ANY_NUMBER, start_of(queue), digits(now), 1})
  for _, id in ipairs(stalled) do
    redis.call('HDEL', place(queue, id), 'rc:lapsed')
    local job = fields_of(queue, id)
    if job.timestamp and standing(id, job, false) > 0 and not job.finishedOn then
      redis.call('ZADD', tried(queue), digits(number(job.timestamp) or now), id)
    end
  end
  return #stalled
end

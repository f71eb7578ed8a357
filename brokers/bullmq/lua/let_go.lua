-- For scripts that give messages back as they were: those deliveries did not happen.

-- Give one back, unless its lock is another's by now.
local function let_go(queue, id, lock, delay, now)
  if not holds(queue, id, lock) then return end
  local name = place(queue, id)
  local job = fields_of(queue, id)
  local attempts = digits((number(job.ats) or 1) - 1)
  if delay > 0 then
    local due = math.max(now + delay, number(job['rc:due']) or 0)
    local fields = cmsgpack.pack({'ats', attempts, 'rc:due', digits(due)})
    moveToDelayed(queue, {start_of(queue), digits(now), id, lock, digits(due - now), '1', fields, '', ''}, id)
  else
    redis.call('HSET', name, 'ats', attempts)
    moveJobFromActiveToWait(queue, {id, lock, name}, id)
    wake(queue)  -- BullMQ's script does not, for a job with a priority
  end
  redis.call('HDEL', name, 'rc:held', 'rc:lapsed')
end

-- For scripts that show messages.

-- Where a job is, in the engine's words, or nil: it is done, or waits for other jobs.
local function state_of(queue, id)
  if redis.call('ZSCORE', place(queue, 'failed'), id) then return 'dead' end
  if redis.call('ZSCORE', place(queue, 'delayed'), id) then return 'delayed' end
  if redis.call('ZSCORE', place(queue, 'prioritized'), id) then return 'ready' end
  if redis.call('ZSCORE', place(queue, 'completed'), id) then return end
  if redis.call('ZSCORE', place(queue, 'waiting-children'), id) then return end
  if lock_of(queue, id) or redis.call('LPOS', place(queue, 'active'), id) then return 'running' end
  return 'ready'
end

-- Add a job to an answer: id, queue, state, name, data, form, priority, deliveries, crashes, when it came in and became
-- due, stack, failedReason, reason, when it died. What it does not have is nil. A job without a hash is not shown.
local function show(answer, queue, id, state)
  local job = fields_of(queue, id)
  if next(job) == nil then return end
  local deliveries, crashes, _, has_died = standing(id, job, state ~= 'ready')
  local died, reason = string.match(job['rc:reason'] or '', '^(%d+):(.*)$')
  if died ~= job.finishedOn then reason = nil end  -- it died again, of another worker's hand
  local fields = {
    id, queue, state, job.name or '', job.data or '', job['rc:form'] or '',
    job['rc:priority'] or job.priority or '0', digits(deliveries), digits(crashes), job.timestamp or '0',
    digits(due_of(queue, id, job)), has_died and DIED_STACK or job.stacktrace or '', job.failedReason or '',
    reason or '', state == 'dead' and job.finishedOn or '',
  }
  for _, field in ipairs(fields) do answer[#answer + 1] = field end
end

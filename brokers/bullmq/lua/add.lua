-- For scripts that bring in jobs.

-- Add a job. It has id, name, data, form, timestamp, due, priority and keep (how many completed jobs of its queue to
-- keep); `more` are further fields of its hash, and their values.
local function add(queue, job, now, more)
  local priority = math.max(0, math.min(job.priority, LOWEST_PRIORITY))
  local delay = job.due > now and job.due - job.timestamp or 0
  local arguments = {
    cmsgpack.pack({start_of(queue), job.id, job.name, job.timestamp}), job.data,
    cmsgpack.pack({delay = delay, priority = priority, removeOnComplete = job.keep}),
  }
  if delay > 0 then
    addDelayedJob(queue, arguments)
  elseif priority > 0 then
    addPrioritizedJob(queue, arguments)
  else
    addStandardJob(queue, arguments)
  end
  local fields = {'rc:form', job.form}
  if priority ~= job.priority then
    fields[#fields + 1] = 'rc:priority'
    fields[#fields + 1] = job.priority
  end
  if job.due ~= job.timestamp then
    fields[#fields + 1] = 'rc:due'
    fields[#fields + 1] = digits(job.due)
  end
  for _, field in ipairs(more) do fields[#fields + 1] = field end
  redis.call('HSET', place(queue, job.id), unpack(fields))
end

local function is_finished(queue, id)
  return redis.call('ZSCORE', place(queue, 'completed'), id) or redis.call('ZSCORE', place(queue, 'failed'), id)
end

-- Whether a job of this id is in this queue, or in another one that is used through this engine, waiting or running.
local function is_live(queue, id)
  local places, names = queues(), {}
  places[#places + 1] = queue
  for i, each in ipairs(places) do names[i] = place(each, id) end
  if redis.call('EXISTS', unpack(names)) == 0 then return false end
  for i, each in ipairs(places) do
    if redis.call('EXISTS', names[i]) == 1 and not is_finished(each, id) then return true end
  end
  return false
end

-- Remove what is left of a job that is done, or dead: its id is to be used again.
local function make_room(queue, id)
  if redis.call('EXISTS', place(queue, id)) == 1 then removeJob(queue, {id, '0', start_of(queue)}, id) end
end

-- Put a message back in its place, changed. ARGV: again, time, owner, queue, token, id, the queue and the id it is to
-- have, data and the form of that, delay, what went wrong as BullMQ writes it, how many completed jobs to keep.

although_memory_is_full()
local now, queue, id = clock(ARGV[2]), ARGV[4], ARGV[6]
local lock, to_queue, to_id = ARGV[3] .. ':' .. ARGV[5], ARGV[7], ARGV[8]
local data, form, delay, stack = ARGV[9], ARGV[10], tonumber(ARGV[11]), ARGV[12]
if not holds(queue, id, lock) then return end

local job = fields_of(queue, id)
local changes = {'data', data, 'rc:form', form, 'rc:due', digits(now + delay), 'stc', '0', 'rc:spared', '0'}
if stack ~= '' then
  changes[#changes + 1] = 'stacktrace'
  changes[#changes + 1] = stack
end

local function in_place()
  if delay > 0 then
    local skips = stack == '' and '1' or '0'  -- what an actor puts off is no failed attempt
    local fields = cmsgpack.pack(changes)
    moveToDelayed(queue, {start_of(queue), digits(now), id, lock, digits(delay), skips, fields, '', ''}, id)
  else
    if stack == '' then
      changes[#changes + 1] = 'atm'
      changes[#changes + 1] = digits((number(job.atm) or 0) - 1)  -- BullMQ counts one more
    end
    retryJob(queue, {start_of(queue), digits(now), 'LPUSH', id, lock, cmsgpack.pack(changes)}, id)
  end
  redis.call('HDEL', place(queue, id), 'rc:held', 'rc:lapsed', 'rc:replayed')
end

-- BullMQ has no way from one queue to another: the job is removed here, and added there with its record.
local function elsewhere()
  redis.call('SADD', base .. ':queues', to_queue)
  drop_lock(queue, id)
  removeJob(queue, {id, '0', start_of(queue)}, id)
  redis.call('ZREM', tried(queue), id)
  make_room(to_queue, to_id)
  for _, field in ipairs({'ats', 'atm', 'stacktrace'}) do
    if job[field] and not (field == 'stacktrace' and stack ~= '') then
      changes[#changes + 1] = field
      changes[#changes + 1] = job[field]
    end
  end
  add(to_queue, {
    id = to_id, name = job.name, data = data, form = form, timestamp = number(job.timestamp) or now, due = now + delay,
    priority = number(job['rc:priority'] or job.priority) or 0, keep = tonumber(ARGV[13]),
  }, now, changes)
end

if to_queue == queue then in_place() else elsewhere() end
redis.call('ZADD', tried(to_queue), digits(number(job.timestamp) or now), to_id)

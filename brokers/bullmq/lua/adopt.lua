-- Take over messages of another engine, with their records. ARGV: again, time, a name for this call, how many completed
-- jobs to keep, and for each message its id, state, queue, name, data, form, priority, deliveries, crashes, when it came
-- in and is due, stack, failedReason, reason, when it died. Returns how many were not there already.

local former = former_answer(ARGV[3])
if former then return tonumber(former) end
local now, keep, count = clock(ARGV[2]), tonumber(ARGV[4]), 0

-- BullMQ adds no job that has failed: one that is delayed without end is moved to those by hand.
local function make_dead(queue, id, failed, reason, died)
  redis.call('ZREM', place(queue, 'delayed'), id)
  redis.call('ZADD', place(queue, 'failed'), died, id)
  redis.call('HSET', place(queue, id), 'delay', 0, 'failedReason', failed, 'finishedOn', died,
    'rc:reason', died .. ':' .. reason)
end

for i = 5, #ARGV, 15 do
  local id, state, queue, name, data, form, priority = unpack(ARGV, i, i + 6)
  local deliveries, crashes, enqueued, due, stack, failed, reason, died = unpack(ARGV, i + 7, i + 14)
  local is_dead = state == 'dead'
  local is_there = is_live(queue, id)
  redis.call('SADD', base .. ':queues', queue)
  if is_dead and redis.call('ZSCORE', place(queue, 'failed'), id) then is_there = true end
  if not is_there then
    make_room(queue, id)
    local record = {'ats', deliveries, 'atm', deliveries, 'stc', crashes}
    if stack ~= '' then
      record[#record + 1] = 'stacktrace'
      record[#record + 1] = stack
    end
    add(queue, {
      id = id, name = name, data = data, form = form, priority = tonumber(priority), keep = keep,
      timestamp = tonumber(enqueued), due = is_dead and now + 3600000 or tonumber(due),
    }, now, record)
    if is_dead then
      make_dead(queue, id, failed, reason, died)
      redis.call('HSET', place(queue, id), 'rc:due', due)
    elseif tonumber(deliveries) > 0 then
      redis.call('ZADD', tried(queue), enqueued, id)
    end
    count = count + 1
  end
end
receipted(ARGV[3], count)
return count

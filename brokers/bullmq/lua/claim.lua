-- Hand out the next messages of a queue. ARGV: again, time, queue, owner, token, limit, how long a lock lasts, the name of
-- this worker, max_deliveries. Returns how long it is until the next delayed message is due, or -1, the time, and then
-- for each message its id, name, data, form, deliveries, crashes, when it came in and when it became due, and whether
-- one of BullMQ's tools put it back from the dead letters. What a job does not have is nil.

although_memory_is_full()
local now, queue, owner, token, limit = clock(ARGV[2]), ARGV[3], ARGV[4], ARGV[5], tonumber(ARGV[6])
local lock, max_deliveries = owner .. ':' .. token, tonumber(ARGV[9])
local options = cmsgpack.pack({token = lock, lockDuration = tonumber(ARGV[7]), name = ARGV[8]})
local answer = {-1, digits(now)}

local function hand_out(id, job)
  for _, part in ipairs({'id', 'name', 'data', 'rc:form', 'ats', 'crashes', 'timestamp', 'due', 'rc:replayed'}) do
    answer[#answer + 1] = job[part] or false
  end
end

-- A dead letter that BullMQ's own tools put back begins afresh; replay.lua forgets the reason itself.
local function begin_afresh(job)
  job.ats, job.stc, job['rc:spared'], job['rc:reason'], job['rc:replayed'] = '1', '0', '0', nil, '1'
  job['rc:held'] = nil
  redis.call('HDEL', place(queue, job.id), 'rc:reason', 'stacktrace')
  redis.call('HSET', place(queue, job.id), 'rc:replayed', '1', 'rc:spared', '0', 'stc', '0')
end

-- Take in how the job's last delivery ended, and note this one. Returns false for one that is not to be handed out.
local function note(id, job)
  job.id = id
  if job['rc:reason'] then begin_afresh(job) end
  job.ats = digits((number(job.ats) or 1) - 1)
  local deliveries, crashes, spared, has_died = standing(id, job, false)
  job.ats, job.due = digits(deliveries + 1), digits(due_of(queue, id, job))
  local name = place(queue, id)
  redis.call('HSET', name, 'ats', job.ats, 'rc:held', lock .. ':' .. job.ats)
  redis.call('HDEL', name, 'rc:lapsed')
  if spared ~= (number(job['rc:spared']) or 0) then redis.call('HSET', name, 'rc:spared', digits(spared)) end
  if has_died then redis.call('HSET', name, 'stacktrace', DIED_STACK) end
  if job.defa then crashes = math.max(crashes, max_deliveries) end  -- another worker counted its stalls
  job.crashes = digits(crashes)
  if deliveries > 0 then redis.call('ZADD', tried(queue), digits(number(job.timestamp) or now), id) end
  if crashes <= max_deliveries then return true end
  -- It was handed out only to be set aside, and that was its worker's end, too.
  redis.call('HSET', name, 'ats', digits(deliveries))
  return not bury(queue, id, lock, 'max_deliveries', '', now)
end

local function take_again()
  for _, id in ipairs(redis.call('LRANGE', place(queue, 'active'), 0, -1)) do
    if lock_of(queue, id) == lock then
      local job = fields_of(queue, id)
      local _, crashes = standing(id, job, true)
      job.id, job.crashes, job.due = id, digits(crashes), digits(due_of(queue, id, job))
      hand_out(id, job)
    end
  end
end

local refusal = know(queue)
if refusal then return refusal end
if again then take_again() end
if #answer > 2 then return answer end

while limit > 0 do
  local taken = moveToActive(queue, {start_of(queue), digits(now), options})
  if type(taken[1]) ~= 'table' then
    local wait_ms, next_due = tonumber(taken[3]) or 0, tonumber(taken[4]) or 0
    if wait_ms > 0 then  -- another program limits the rate of this queue
      answer[1] = wait_ms
    elseif next_due > 0 then
      answer[1] = math.max(0, math.ceil(next_due - now))
    end
    return answer
  end
  local id, job = taken[2], as_table(taken[1])
  if note(id, job) then
    hand_out(id, job)
    limit = limit - 1
  end
end
return answer

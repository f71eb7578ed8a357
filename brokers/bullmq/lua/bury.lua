-- For scripts that make messages dead letters: BullMQ's failed jobs, with a reason of ours.

-- The first line of what went wrong, as BullMQ's tools show it beside the job. A traceback has it last.
local function headline(stack, reason)
  local ok, stacks = pcall(cjson.decode, stack)
  local text = ok and type(stacks) == 'table' and stacks[#stacks]
  if type(text) ~= 'string' then return reason end
  local last = string.match(text, '([^\n]*)%s*$')
  return last ~= '' and last or reason
end

-- Make a running job a dead letter. `lock` proves that the caller holds it, and '0' that nobody does. `stack` is what
-- went wrong, as BullMQ writes it; where it is empty, what went wrong before stays. Returns whether it could be done.
local function bury(queue, id, lock, reason, stack, now, more)
  if lock ~= '0' and not holds(queue, id, lock) then return false end
  local name = place(queue, id)
  local before, deferred = unpack(redis.call('HMGET', name, 'stacktrace', 'defa'))
  if stack == '' then stack = before or (deferred and cjson.encode({deferred})) or '[]' end
  local fields = {'stacktrace', stack, 'rc:reason', digits(now) .. ':' .. reason}
  for _, field in ipairs(more or {}) do fields[#fields + 1] = field end
  local options = {token = lock, keepJobs = {count = -1}, attempts = 1, maxMetricsSize = METRICS_MINUTES}
  local answer = moveToFinished(queue, {
    id, digits(now), 'failedReason', headline(stack, reason), 'failed', '', start_of(queue),
    cmsgpack.pack(options), cmsgpack.pack(fields),
  }, id, 'failed')
  if answer ~= 0 then return false end
  redis.call('HDEL', name, 'rc:held', 'rc:lapsed', 'rc:replayed')
  redis.call('ZREM', tried(queue), id)
  redis.call('HINCRBY', key('died', queue), reason, 1)
  return true
end

-- Store messages as another engine had them. ARGV: again, a name for this call, and for each message its id,
-- state, queue, actor, payload, priority, deliveries, crashes, when it was enqueued and is due, its last error,
-- its reason for being a dead letter and when it died. Returns how many were not there already.

local function adopt_dead(i)
  local id, queue = ARGV[i], ARGV[i + 2]
  local letter = key('dead-letter', id)
  if ask('EXISTS', letter) == 1 then return false end
  ask('HSETNX', base .. ':queues', queue, 0)
  ask('HSET', letter, 'queue', queue, 'actor', ARGV[i + 3], 'priority', ARGV[i + 5],
    'deliveries', ARGV[i + 6], 'crashes', ARGV[i + 7], 'enqueued', ARGV[i + 8], 'due', ARGV[i + 9],
    'reason', ARGV[i + 11], 'died', ARGV[i + 12])
  if ARGV[i + 10] ~= '' then ask('HSET', letter, 'error', ARGV[i + 10]) end
  ask('SET', key('dead-payload', id), ARGV[i + 4])
  ask('ZADD', key('dead', queue), ARGV[i + 12], id)
  return true
end

local function adopt_live(i)
  local is_delayed, now = ARGV[i + 1] == 'delayed', tonumber(ARGV[i + 9])
  return store({
    id = ARGV[i], queue = ARGV[i + 2], actor = ARGV[i + 3], payload = ARGV[i + 4], priority = ARGV[i + 5],
    deliveries = ARGV[i + 6], crashes = ARGV[i + 7], enqueued = tonumber(ARGV[i + 8]), due = now,
    error = ARGV[i + 10], unique_key = '',
  }, is_delayed and now - 1 or now)
end

local call, count = ARGV[2], 0
local former = former_answer(call)
if former then return tonumber(former) end
for i = 3, #ARGV, 13 do
  local is_new
  if ARGV[i + 1] == 'dead' then is_new = adopt_dead(i) else is_new = adopt_live(i) end
  if is_new then count = count + 1 end
end
return receipted(call, count)

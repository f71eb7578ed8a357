-- What every script of this engine begins with, after base.lua, keys.lua and the scripts of BullMQ that it calls.
-- Jobs, their lists and sets, and the rules of how they move are BullMQ's. What it has no place for is kept in fields
-- of the job's hash, and in keys of the engine's own, for which KEYS[1] is the name:
--
--   {prefix}:{queue}:{id}    hash    BullMQ's job: name, data, opts, timestamp, delay, priority, ats (deliveries), atm
--                                    (attempts), stc (stalls), stacktrace, failedReason, finishedOn. And:
--     rc:form                        how the message is written in `data`: json or base64; a job without it is not ours
--     rc:due                         when it became due, or will, where that is not when it came in
--     rc:priority                    its priority, where BullMQ has none like it
--     rc:held                        <owner>:<token>:<ats> of the delivery that is not settled
--     rc:spared                      stalls that do not count as crashes, because the job had not been begun
--     rc:lapsed                      since when it runs without a lock
--     rc:reason                      <time of death>:<reason> of a dead letter
--     rc:replayed                    1: it was a dead letter, and one of BullMQ's tools put it back
--   {base}:queues            set     every queue that is used through this engine. Others of this prefix are not ours
--   {base}:tried:<queue>     zset    jobs that wait, or run, and were tried before. Score: when they came in. An entry may
--                                    be out of date, see stats.lua
--   {base}:died:<queue>      hash    reason -> dead letters it made since the beginning
--   {base}:started:<owner>   hash    one field for each worker thread: <token>:<id> of what it runs, or ran
--   {base}:process:<host>:<pid>  set the owners that live in a process
--   {base}:unique:<key>      string  <expires>:<message id> of the message that has this unique key
--
-- A lock is <owner>:<token>. Ids are bytes.

-- The highest number of a priority that BullMQ takes. It runs 0 first, then 1, 2 and so on.
local LOWEST_PRIORITY = 2097151

-- How many minutes of how many jobs were done BullMQ keeps, for its own tools: a day.
local METRICS_MINUTES = 1440

-- What a job says whose worker died, as text and as BullMQ writes it.
local DIED = 'The worker process died while it ran this message.'
local DIED_STACK = '["' .. DIED .. '"]'

local function start_of(queue) return place(queue, '') end
local function lock_of(queue, id) return redis.call('GET', place(queue, id) .. ':lock') end
local function drop_lock(queue, id) redis.call('DEL', place(queue, id) .. ':lock') end
local function queues() return redis.call('SMEMBERS', base .. ':queues') end
local function tried(queue) return key('tried', queue) end

local function is_paused(queue)
  return redis.call('HEXISTS', place(queue, 'meta'), 'paused') == 1
end

-- Wake a worker that waits for this queue.
local function wake(queue)
  if not is_paused(queue) then redis.call('ZADD', place(queue, 'marker'), 0, '0') end
end

-- Pairs of fields and values as a table.
local function as_table(pairs_)
  local found = {}
  for i = 1, #pairs_, 2 do found[pairs_[i]] = pairs_[i + 1] end
  return found
end

local function fields_of(queue, id)
  return as_table(redis.call('HGETALL', place(queue, id)))
end

-- How long a lock is regained for, to settle a job under it.
local REGAINED_MS = 10000

-- Whether a job is still the caller's. BullMQ ends a lock by the clock, also while the server itself is away. Until the
-- job was moved back, or handed out again, nobody else can have it, and the lock is made anew.
local function holds(queue, id, lock, for_ms)
  local current = lock_of(queue, id)
  if current then return current == lock end
  local held, deliveries = unpack(redis.call('HMGET', place(queue, id), 'rc:held', 'ats'))
  if not held or held ~= lock .. ':' .. deliveries then return false end
  if not redis.call('LPOS', place(queue, 'active'), id) then return false end
  redis.call('SET', place(queue, id) .. ':lock', lock, 'PX', for_ms or REGAINED_MS)
  redis.call('HDEL', place(queue, id), 'rc:lapsed')
  return true
end

local function is_started(owner, token, id)
  local mark = token .. ':' .. id
  for _, started in ipairs(redis.call('HVALS', key('started', owner))) do
    if started == mark then return true end
  end
  return false
end

-- How often a job was handed out, how often a worker died while running it, how many of its stalls were no crash, and
-- whether its last delivery ended with a death. BullMQ's check for stalled jobs, which any program may run, moves a job
-- back without knowing these. So a delivery that was neither settled nor goes on is judged here, when it is looked at.
local function standing(id, job, is_running)
  local deliveries, stalls = number(job.ats) or 0, number(job.stc) or 0
  local spared, has_died = number(job['rc:spared']) or 0, false
  local owner, token, count = string.match(job['rc:held'] or '', '^(%w+):(%d+):(%d+)$')
  if owner and not is_running and number(count) == deliveries then
    has_died = is_started(owner, token, id)
    if not has_died then deliveries, spared = deliveries - 1, spared + 1 end
  end
  return deliveries, math.max(0, stalls - spared), spared, has_died
end

-- When a job became due, or will.
local function due_of(queue, id, job)
  local score = redis.call('ZSCORE', place(queue, 'delayed'), id)
  if score then return math.floor(tonumber(score) / 4096) end
  return number(job['rc:due']) or number(job.timestamp) or 0
end

-- A job that has two names: as a message of ours its own id is `plain`; one that another program added is known as
-- <queue>:<id>. Returns its queue and its id, or nil.
local function find(plain, foreign_queue, foreign_id)
  for _, queue in ipairs(queues()) do
    if redis.call('EXISTS', place(queue, plain)) == 1 then return queue, plain end
  end
  if foreign_queue ~= '' and redis.call('SISMEMBER', base .. ':queues', foreign_queue) == 1
    and redis.call('EXISTS', place(foreign_queue, foreign_id)) == 1 then
    return foreign_queue, foreign_id
  end
end

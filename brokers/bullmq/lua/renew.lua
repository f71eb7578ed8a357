-- This process lives. ARGV: again, owner, host, pid, how long a lock lasts, and for each queue its name, how many
-- messages, and their ids and tokens. Returns for each message whose lock is another's by now its queue and its id.

-- How long it is remembered which process an owner was, and what it had begun, should it die. A day: whoever claims a
-- job later than that does not learn that it was begun.
local DAY_MS = 86400000

although_memory_is_full()
local owner, lock_ms = ARGV[2], ARGV[5]
local process = base .. ':process:' .. ARGV[3] .. ':' .. ARGV[4]
redis.call('SADD', process, owner)
redis.call('PEXPIRE', process, DAY_MS)
redis.call('PEXPIRE', key('started', owner), DAY_MS)

local lost, i = {}, 6
while i < #ARGV do
  local queue, count, ids, locks = ARGV[i], tonumber(ARGV[i + 1]), {}, {}
  for n = 1, count do
    ids[n] = ARGV[i + 2 * n]
    locks[n] = owner .. ':' .. ARGV[i + 2 * n + 1]
  end
  local lock_by_id = {}
  for n, id in ipairs(ids) do lock_by_id[id] = locks[n] end
  for _, id in ipairs(extendLocks(queue, {start_of(queue), cmsgpack.pack(locks), cmsgpack.pack(ids), lock_ms})) do
    if not holds(queue, id, lock_by_id[id], lock_ms) then
      lost[#lost + 1] = queue
      lost[#lost + 1] = id
    end
  end
  i = i + 2 + 2 * count
end
return lost

-- Make a dead letter ready again, with a clean record. ARGV: again, time, a name for this call, id, payload,
-- '1' to use that one. Returns 1, or 0 when there is no such dead letter, or a message of its id is live.

local now, call, id = clock(ARGV[2]), ARGV[3], ARGV[4]
if former_answer(call) then return 1 end
local letter = key('dead-letter', id)
local fields = ask('HMGET', letter, 'queue', 'actor', 'priority', 'enqueued')
if not fields[1] then return 0 end
local stored = store({
  id = id, queue = fields[1], actor = fields[2] or '', priority = number(fields[3]) or 0, due = now,
  payload = ARGV[6] == '1' and ARGV[5] or ask('GET', key('dead-payload', id)) or '',
  enqueued = number(fields[4]) or now, deliveries = 0, crashes = 0, error = '', unique_key = '',
}, now)
if not stored then return 0 end
ask('UNLINK', letter, key('dead-payload', id))
ask('ZREM', key('dead', fields[1]), id)
return receipted(call, 1)

-- Make a dead letter ready again, with a clean record. ARGV: again, time, a name for this call, the names of the message
-- as for get.lua, data and the form of that, or nothing to leave them. Returns whether there was such a dead letter.

local former = former_answer(ARGV[3])
if former then return tonumber(former) end
local queue, id = find(ARGV[4], ARGV[5], ARGV[6])
if not queue or state_of(queue, id) ~= 'dead' then return 0 end
local name = place(queue, id)
if reprocessJob(queue, {id, 'LPUSH', 'failedReason', 'failed', '1', '1'}, id, 'failed') ~= 1 then return 0 end
redis.call('HDEL', name, 'stacktrace', 'stc', 'rc:held', 'rc:reason', 'rc:replayed', 'rc:spared')
redis.call('HSET', name, 'rc:due', digits(clock(ARGV[2])))
if ARGV[8] ~= '' then redis.call('HSET', name, 'data', ARGV[7], 'rc:form', ARGV[8]) end
receipted(ARGV[3], 1)
return 1

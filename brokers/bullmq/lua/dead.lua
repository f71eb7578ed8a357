-- A page of a queue's dead letters, newest first. ARGV: again, queue, died since, died before, offset, limit. Returns how
-- many the page has, and the messages.

local since = ARGV[3] == '' and '-inf' or ARGV[3]
local before = ARGV[4] == '' and '+inf' or '(' .. ARGV[4]
local ids = redis.call('ZREVRANGEBYSCORE', place(ARGV[2], 'failed'), before, since, 'LIMIT', ARGV[5], ARGV[6])
local answer = {#ids}
for _, id in ipairs(ids) do show(answer, ARGV[2], id, 'dead') end
return answer

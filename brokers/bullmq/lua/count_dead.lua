-- How many dead letters a queue has. ARGV: again, queue, died since, died before.

local since = ARGV[3] == '' and '-inf' or ARGV[3]
local before = ARGV[4] == '' and '+inf' or '(' .. ARGV[4]
return redis.call('ZCOUNT', place(ARGV[2], 'failed'), since, before)

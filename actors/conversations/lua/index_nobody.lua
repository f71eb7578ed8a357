-- Put the conversations that nobody answers, of those that an earlier version stored, into the set of them. ARGV: again,
-- time, keep, where to go on ('0' to begin), about how many to look at. Returns where to go on, '0' when all were seen.
--
-- A scan shows every member that is there all the while, also one whose score changes meanwhile. One that comes in
-- meanwhile was put into the set by the script that did that.

local whole, conversations = base .. ':with-nobody-is-whole', base .. ':conversations'
if redis.call('EXISTS', whole) == 1 then return '0' end
although_memory_is_full()
local scanned = redis.call('ZSCAN', conversations, ARGV[4], 'COUNT', ARGV[5])
for i = 1, #scanned[2], 2 do
  if redis.call('HGET', key('conversation', scanned[2][i]), 'mode') == 'nobody' then
    redis.call('ZADD', base .. ':with-nobody', redis.call('ZSCORE', conversations, scanned[2][i]), scanned[2][i])
  end
end
if scanned[1] == '0' then redis.call('SET', whole, '1') end
return scanned[1]

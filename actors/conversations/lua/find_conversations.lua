-- Find conversations, latest first. ARGV: again, time, keep, the latest time at which something was last said in them,
-- how many to pass over, how many to look at, a part of the contact's address, '' for all, who answers in them, ''
-- for all, and the set in which they are, '' for that of all.
-- Returns how many were looked at, and of each that matches its key and when something was last said.

local latest, first, text, mode = ARGV[4], tonumber(ARGV[5]), ARGV[7], ARGV[8]
local all = base .. ':' .. (ARGV[9] ~= '' and ARGV[9] or mode == 'person' and 'with-person' or 'conversations')
if ARGV[9] == '' and mode == 'nobody' and redis.call('EXISTS', base .. ':with-nobody-is-whole') == 1 then
  all = base .. ':with-nobody'
end
local page = redis.call('ZREVRANGEBYSCORE', all, latest, '-inf', 'WITHSCORES', 'LIMIT', first, ARGV[6])
local answer = {#page / 2}
for i = 1, #page, 2 do
  local about = redis.call('HMGET', key('conversation', page[i]), 'contact', 'mode', 'writes_from')
  local is_meant = mode == '' or mode == (about[2] or 'assistant')
  local has = function(address) return address and string.find(address, text, 1, true) end
  if about[1] and is_meant and (has(about[1]) or has(about[3])) then
    answer[#answer + 1] = page[i]
    answer[#answer + 1] = page[i + 1]
  end
end
return answer

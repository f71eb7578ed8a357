-- Note a look at the open reply that has waited longest. ARGV: again, time, keep, and the looks: times after the sending,
-- ascending. Returns the reply's id, or nothing when none is due. A call whose answer was lost and that is made again
-- takes another one: that look of the first is left out.

although_memory_is_full()
local set, first, last = base .. ':open', tonumber(ARGV[4]), tonumber(ARGV[#ARGV])
local newest = now - first
redis.call('ZREMRANGEBYSCORE', set, '-inf', '(' .. digits(newest - last))
while true do
  local id = redis.call('ZRANGEBYSCORE', set, '-inf', digits(newest), 'LIMIT', 0, 1)[1]
  if not id then return false end
  local fields = redis.call('HMGET', key('reply', id), 'state', 'sent_at')
  redis.call('ZREM', set, id)
  if fields[1] == 'sent' then
    for index = 4, #ARGV do
      local next_at = fields[2] + ARGV[index]
      if next_at > now then
        redis.call('ZADD', set, digits(next_at - first), id)
        break
      end
    end
    return id
  end
end

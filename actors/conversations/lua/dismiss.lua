-- Leave something out of what wants attention. ARGV: again, time, keep, call, its id or name, and the person who has
-- seen it. Returns 1, or 0 when it is not in there.

although_memory_is_full()
local call, id = ARGV[4], ARGV[5]
local former = former_answer(call)
if former then return former end
for _, kind in ipairs({'reply', 'inbound'}) do
  if redis.call('ZREM', base .. ':attention', kind .. ':' .. id) == 1 then
    if redis.call('EXISTS', key(kind, id)) == 1 then redis.call('HSET', key(kind, id), 'seen_by', ARGV[6]) end
    return receipted(call, 1)
  end
end
return 0

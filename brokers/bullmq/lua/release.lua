-- Give messages back. ARGV: again, time, owner, delay, and for each message its queue, token and id.

although_memory_is_full()
local now, owner, delay = clock(ARGV[2]), ARGV[3], tonumber(ARGV[4])
for i = #ARGV - 2, 5, -3 do  -- each goes to the front: the last first, and their order stays
  let_go(ARGV[i], ARGV[i + 2], owner .. ':' .. ARGV[i + 1], delay, now)
end

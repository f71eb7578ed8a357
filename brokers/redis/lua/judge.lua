-- What a process found out about silent ones of its host. ARGV: again, how many deaths a message may cause, what to
-- note as their reason, and for each its owner and '1' if it lives. Returns how many messages each dead one held.

although_memory_is_full()
local now, answer = clock(''), {}
for i = 4, #ARGV, 2 do
  if ARGV[i + 1] == '1' then
    ask('ZADD', base .. ':processes', 'XX', digits(now), ARGV[i])
  else
    answer[#answer + 1] = ARGV[i]
    answer[#answer + 1] = take_over(ARGV[i], now, true, tonumber(ARGV[2]), ARGV[3])
  end
end
return answer

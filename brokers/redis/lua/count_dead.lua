-- How many dead letters a queue has. ARGV: again, queue, and since and before when they died, '' where it does
-- not matter.

local queue, since, before = ARGV[2], ARGV[3], ARGV[4]
return ask('ZCOUNT', key('dead', queue), since == '' and '-inf' or since,
  before == '' and '+inf' or '(' .. before)

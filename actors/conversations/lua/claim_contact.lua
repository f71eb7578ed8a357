-- Return which conversation, of any store, is that with a contact. ARGV: again, time, keep, account, address, the channel's
-- id of the contact, and the conversation that it is where none is noted.

local place = key('whose', ARGV[4] .. '|' .. ARGV[5] .. '|' .. ARGV[6])
redis.call('SET', place, ARGV[7], 'NX')
redis.call('PEXPIRE', place, ARGV[3])
return redis.call('GET', place)

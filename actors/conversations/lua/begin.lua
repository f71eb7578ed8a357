-- Have a conversation in which the shop writes first. ARGV: again, time, keep, conversation, account, address, contact,
-- channel.

local about = key('conversation', ARGV[4])
if redis.call('HSETNX', about, 'created_at', digits(now)) == 0 then return end
redis.call('HSET', about, 'account_sid', ARGV[5], 'address', ARGV[6], 'contact', ARGV[7], 'channel', ARGV[8])
own_address(ARGV[5], ARGV[6], ARGV[8])
touch(ARGV[4])

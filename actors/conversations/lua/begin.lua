-- Have a conversation in which the shop writes first. ARGV: again, time, keep, conversation, account, address, contact,
-- channel, the digest of an opt-out, and what is told of one.

local about = key('conversation', ARGV[4])
if redis.call('HSETNX', about, 'created_at', digits(now)) == 0 then return end
redis.call('HSET', about, 'account_sid', ARGV[5], 'address', ARGV[6], 'contact', ARGV[7], 'channel', ARGV[8])
if redis.call('ZSCORE', base .. ':opt-outs', ARGV[9]) then set_mode(ARGV[4], 'nobody', ARGV[10]) end
own_address(ARGV[5], ARGV[6], ARGV[8])
touch(ARGV[4])

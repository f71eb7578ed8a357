-- Have a conversation in which the shop writes first. ARGV: again, time, keep, conversation, account, address, contact,
-- channel, the digest of an opt-out, and what is told of one.

if not know(ARGV[4], ARGV[5], ARGV[6], ARGV[7], ARGV[8], ARGV[9], ARGV[10]) then return end
own_address(ARGV[5], ARGV[6], ARGV[8])
touch(ARGV[4])

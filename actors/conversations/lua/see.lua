-- Operators have seen all that the contact wrote. ARGV: again, time, keep, conversation.

although_memory_is_full()
redis.call('ZREM', base .. ':unread', ARGV[4])

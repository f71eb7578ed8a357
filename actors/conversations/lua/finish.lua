-- Let go of a conversation, unless something is unanswered. ARGV: again, time, keep, conversation, fence.
-- Returns 1, or 0 when something is; and the id of the next reply to send, or nothing.

although_memory_is_full()
return finish(ARGV[4], ARGV[5])

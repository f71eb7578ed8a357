-- Delete a note about a contact. ARGV: again, time, keep, call, conversation, the note's id. Returns 1, or 0 when there is
-- none.

although_memory_is_full()
return former_answer(ARGV[4]) or receipted(ARGV[4], redis.call('HDEL', key('notes', ARGV[5]), ARGV[6]))

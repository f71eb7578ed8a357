-- A reply was sent. ARGV: again, time, keep, its id, the channel's id of it.

although_memory_is_full()
was_sent(ARGV[4], ARGV[5])

-- A reply was sent. ARGV: again, time, keep, its id, its Twilio sid.

although_memory_is_full()
was_sent(ARGV[4], ARGV[5])

-- Set a message aside. ARGV: again, time, owner, queue, token, id, reason, what went wrong as BullMQ writes it.

although_memory_is_full()
bury(ARGV[4], ARGV[6], ARGV[3] .. ':' .. ARGV[5], ARGV[7], ARGV[8], clock(ARGV[2]))

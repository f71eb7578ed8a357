-- A wake-up was heard by a process that has no room: it is another's. ARGV: again, queue.

wake(ARGV[2])

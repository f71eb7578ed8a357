-- What time it is. ARGV: again, time. Returns it.

return digits(clock(ARGV[2]))

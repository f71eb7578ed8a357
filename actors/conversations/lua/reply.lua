-- One reply. ARGV: again, time, keep, its id. Returns what show() gives of it, or nothing.

return show(ARGV[4])

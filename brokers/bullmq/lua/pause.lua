-- Pause a queue, or resume it. ARGV: again, queue, 1 or 0.

note_repetition()
redis.call('SADD', base .. ':queues', ARGV[2])
while pause(ARGV[2], {ARGV[3] == '1' and 'paused' or 'resumed', '1'}) > 0 do end

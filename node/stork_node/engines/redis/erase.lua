-- ARGV[4] the epoch; then numbers, each with what stays of the entry: empty for nothing.
if ARGV[4] == epoch then
  for i = 5, #ARGV, 2 do
    count = count - redis.call('XDEL', LOG, ARGV[i] .. '-0')
    redis.call('XDEL', BRIEF, ARGV[i] .. '-0')
    if ARGV[i + 1] == '' then redis.call('HDEL', CHANGED, ARGV[i]) else redis.call('HSET', CHANGED, ARGV[i], ARGV[i + 1]) end
  end
  redis.call('HSET', META, 'n', count)
end
return {epoch, last, committed, floor, needed}

-- ARGV[4] and ARGV[5] retention in ms and bytes; then incarnations of nodes, each with the last lease that it has said.
if #ARGV > 6 then redis.call('HSET', LEASES, unpack(ARGV, 6)) end
trim(tonumber(ARGV[4]), tonumber(ARGV[5]))
redis.call('HSET', META, 'time', text(now), 'n', count, 'f', text(floor))
if needed == 0 then
  if last > committed then redis.call('HSET', META, 'c', text(last)) end
  committed = last
end
return {epoch, last, committed, floor, needed, redis.call('HVALS', LEASES), saved, deployment}

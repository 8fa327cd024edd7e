-- ARGV[4] the epoch, ARGV[5] the number up to which enough replicas have everything.
local number = tonumber(ARGV[5])
if ARGV[4] == epoch and number > committed and number <= last then
  committed = number
  redis.call('HSET', META, 'c', text(committed))
  redis.call('PUBLISH', META, text(committed))
end
return {epoch, last, committed, floor, needed}

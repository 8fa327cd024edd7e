-- ARGV[4] the epoch, ARGV[5] the number of the snapshot, ARGV[6] the snapshot.
local number = tonumber(ARGV[5])
if ARGV[4] == epoch and number >= saved then
  saved = number
  redis.call('SET', SNAPSHOT, ARGV[6])
  redis.call('HSET', META, 'z', text(number))
end
return {epoch, last, committed, floor, needed, saved}

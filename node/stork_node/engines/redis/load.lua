local foreign = foreign_key()
if foreign then return redis.error_reply('STORK-TYPE ' .. foreign) end
return {epoch, last, committed, floor, needed, redis.call('GET', SNAPSHOT), deployment}

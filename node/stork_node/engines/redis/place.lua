-- ARGV[4] how many ms back, ARGV[5] how many bytes at most: the number after which to read.
local place = floor
for i = redis.call('LLEN', MARKS) - 1, 0, -1 do
  local ms, number, b = string.match(redis.call('LINDEX', MARKS, i), '(%d+) (%d+) (%d+)')
  if now - tonumber(ms) > tonumber(ARGV[4]) or bytes - tonumber(b) > tonumber(ARGV[5]) then
    place = math.max(place, tonumber(number))
    break
  end
end
return {epoch, last, committed, floor, needed, math.min(place, committed)}

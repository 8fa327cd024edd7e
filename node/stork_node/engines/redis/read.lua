-- ARGV[4] after which number, ARGV[5] how many bytes at most, unless the first entry is larger.
local after, most, chunk = tonumber(ARGV[4]), tonumber(ARGV[5]), 256
local found, size, at = {}, 0, after
local first_brief = nil
while size < most and at < committed do
  local some = redis.call('XRANGE', LOG, '(' .. text(at) .. '-0', text(committed) .. '-0', 'COUNT', chunk)
  for _, each in ipairs(some) do
    local body = each[2][4]
    if #found > 0 and size + #body > most then
      return {epoch, last, committed, floor, needed, found, at}
    end
    at = tonumber(string.match(each[1], '%d+'))
    if each[2][2] == '2' then
      local brief = redis.call('XRANGE', BRIEF, each[1], each[1])[1]
      if brief then body = brief[2][2] end
    end
    found[#found + 1], found[#found + 2], found[#found + 3] = at, tonumber(each[2][2]), body
    size = size + #body + 100
  end
  if #some < chunk then at = math.max(at, committed) end
end
for _, number in ipairs(redis.call('HKEYS', CHANGED)) do
  local changed = tonumber(number)
  if changed > after and changed <= at then
    found[#found + 1], found[#found + 2], found[#found + 3] = changed, 1, redis.call('HGET', CHANGED, number)
  end
end
return {epoch, last, committed, floor, needed, found, at}

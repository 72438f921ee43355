-- pauses.cpp in Lua: lua pauses.lua OBJECTS STEPS EVERY
local BATCH <const> = 500
local objects, steps, every = tonumber(arg[1]), tonumber(arg[2]), tonumber(arg[3])
local clock = os.clock

local state = 2463534242
local function below(bound)
  local x = state
  x = (x ~ (x << 13)) & 0xffffffff
  x = x ~ (x >> 17)
  x = (x ~ (x << 5)) & 0xffffffff
  state = x
  return x % bound
end

local nodes = {}
local function any() return nodes[below(objects) + 1] end
-- Edges, and at 5 the number.
local function connect(node)
  for i = 1, 4 do node[i] = any() end
end
for i = 1, objects do nodes[i] = { false, false, false, false, i - 1 } end
for i = 1, objects do connect(nodes[i]) end

local times = {}
for i = 0, steps // BATCH do times[i] = 0.0 end
times[0] = clock()
for step = 1, steps do
  local from = any()
  local edge = below(4) + 1
  local to = any()
  from[edge] = to
  local pair = { from, to }
  if step % every == 0 then
    local node = { false, false, false, false, step }
    connect(node)
    nodes[below(objects) + 1] = node
  end
  if step % BATCH == 0 then times[step // BATCH] = clock() end
end

local sum = 0
for i = 1, objects do
  for edge = 1, 4 do sum = (sum * 31 + nodes[i][edge][5]) & 0xffffffff end
end
print(("check=%d"):format(sum))
for i = 1, steps // BATCH do print(("%.0f"):format((times[i] - times[i - 1]) * 1e9)) end

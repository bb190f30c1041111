-- SPDX-License-Identifier: Apache-2.0
-- For wrk -s: as done.lua, but no request is like the one before it: each carries a trace ID of its own.
dofile("done.lua")
local count = 0
request = function()
	count = count + 1
	return string.format("GET / HTTP/1.1\r\nHost: 127.0.0.1:8080\r\ntraceparent: 00-%032x-%016x-01\r\n\r\n", count, count)
end

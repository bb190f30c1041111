-- SPDX-License-Identifier: Apache-2.0
-- For wrk -s: exact figures on the last line: requests, microseconds, errors. Without a request function wrk stays as fast.
done = function(summary)
	local e = summary.errors
	io.write(string.format("%d %d %d\n", summary.requests, summary.duration,
		e.connect + e.read + e.write + e.status + e.timeout))
end

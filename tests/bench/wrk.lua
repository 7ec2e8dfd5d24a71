-- wrk's totals in one line that a program can read: requests, bytes, microseconds, everything that went wrong.
done = function(summary)
	local e = summary.errors
	io.write(string.format("total %d %d %d %d\n", summary.requests, summary.bytes, summary.duration,
		e.connect + e.read + e.write + e.status + e.timeout))
end

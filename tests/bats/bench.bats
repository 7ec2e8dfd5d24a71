# make bench and make bench-scale: that they measure, not what.

setup_file()
{
	load common
	export OUT=$LAN_TOP/build/bench
	mkdir -p "$OUT"
}

setup()
{
	load common
	rm -f "$OUT/result.json"
}

bench() { "$LAN_TOP/tests/bench/run" "$@"; }

@test "a row has both sides, their ratio and what they cost" {
	run bench --reps 2 --seconds 0.2 rr1 write1k
	assert_success
	assert_line --regexp '^rr1 .*1\.0x +[0-9,]+ +[0-9,]+ +[0-9.]+ \([0-9.]+-[0-9.]+\)'
	assert_line --regexp '^write1k .* -> '
	refute_output --partial hop
	run /usr/bin/python3 -c 'import json, sys
row = json.load(open(sys.argv[1]))["rows"]["rr1"]
samples = row["kernel"] + row["ours"]
print(len(samples), all(s["value"] > 0 and s["cpu"] > 0 for s in samples))' "$OUT/result.json"
	assert_output "4 True"
}

@test "with --floor the hop takes its turn, in the rows that it can do" {
	run bench --floor --quick --seconds 0.2 rr1 udpdown accept
	assert_success
	assert_line --regexp '^rr1 .* (ok|LOW) +[0-9.]+, [0-9.]+ +[0-9.,]+ -> '
	assert_line --regexp '^udpdown .* (ok|LOW) +[0-9.]+, [0-9.]+ +[0-9.,]+ -> '
	run /usr/bin/python3 -c 'import json, sys
rows = json.load(open(sys.argv[1]))["rows"]
hop = {name: row["hop"] for name, row in rows.items() if "hop" in row}
print(*hop, *(len(samples) == 1 and samples[0]["value"] > 0 and samples[0]["cpu"] > 0 for samples in hop.values()))
print(*rows.keys() - hop.keys())' "$OUT/result.json"
	assert_output "rr1 udpdown True True
accept"
}

@test "a row that does not exist is refused, and one that fails is a status" {
	run bench nosuchrow
	assert_failure 2
	assert_output --partial "no such row: nosuchrow"
	run env BENCH_TEECEE_MTU=1 "$LAN_TOP/tests/bench/run" --quick rr1
	assert_failure 1
	assert_output --regexp "^cannot begin: .*TEECEE_MTU"
}

@test "a crowd opens, works and closes over either stack" {
	lan_up
	spawn server in_server "$LAN_TOP/build/tests/bench/crowd" serve $LAN_SERVER 7000 4
	wait_for 10 listening server 7003
	for side in in_client with_teecee; do
		run $side "$LAN_TOP/build/tests/bench/crowd" $LAN_SERVER 7000 4 <<-WORK
			open 100
			churn 50
			give 200 10000
			close
		WORK
		assert_success
		assert_equal "$(cut -d ' ' -f 1 <<<"$output" | tr '\n' ' ')" "100 100 100 0 "
	done
	lan_down
}

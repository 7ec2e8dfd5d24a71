# teecee run --repeat: which seeds fail, what is kept of them, and that they fail again.

setup_file()
{
	load common
	lan_up
	nginx_up
	docroot_file 100k 102400 >"$LAN_DIR/100k.sha"
}

teardown_file()
{
	load common
	lan_down
}

setup()
{
	load common
	kill_engines
	KEPT=$LAN_DIR/kept
	rm -rf "$KEPT"
}

repeat() { run in_client timeout 100 "$LAN_TEECEE" run -i va --ip $LAN_FAKE/24 --keep "$KEPT" "$@"; }

# What our connection was, segment for segment: direction, flags, relative numbers, length, what impairment did.
# Without bare ACKs, whose number is a matter of scheduling. (The peer may still be at a connection of the run before.)
segments()
{
	CAPTURE=$1
	local port
	port=$(frames "tcp.flags.syn == 1 && ip.src == $LAN_FAKE" tcp.srcport | head -n 1)
	frames "tcp.port == $port && (tcp.len > 0 || tcp.flags.syn == 1 || tcp.flags.fin == 1)" \
		ip.src tcp.flags.str tcp.seq tcp.len frame.comment | sed 's/curl\[[0-9]*\]//g'
}

kept_seeds() { ls "$KEPT" | sed -n 's/^run[0-9]*-seed\([0-9]*\)\.log$/\1/p'; }

# The program's own limit lies between what happens at once and the first retransmission.
fetch=(curl -sS --connect-timeout 0.6 -o /dev/null http://10.77.0.2/index.html)

@test "of twenty seeds some fail: told, kept, and each fails again in the same way" {
	local line seed failing=0
	repeat --seed 1 --impair "match='tcp' loss=20%" --repeat 20 --vary-seed -- "${fetch[@]}"
	assert_failure 1
	assert_line --regexp '^# [1-9][0-9]* of 20 runs failed, [0-9.]+ s$'
	local said=$output
	while read -r line; do
		[ $failing -lt 4 ] || break
		failing=$((failing + 1))
		seed=$(sed 's/.*--seed \([0-9]*\).*/\1/' <<<"$line")
		grep -q 'lost (rule 1)' "$KEPT/run$seed-seed$seed.trace"
		segments "$KEPT/run$seed-seed$seed.pcapng" >"$LAN_DIR/first"
		# The line as it was printed, with a capture of its own.
		run in_client bash -c "${line/ -- / -p "$LAN_DIR/again.pcapng" -- }"
		assert_failure 28
		in_client "$LAN_TEECEE" stop -i va --ip $LAN_FAKE/24
		segments "$LAN_DIR/again.pcapng" >"$LAN_DIR/second"
		[ -s "$LAN_DIR/first" ]
		diff "$LAN_DIR/first" "$LAN_DIR/second"
	done < <(grep ' run --fresh ' <<<"$said")
	[ "$failing" -ge 1 ]
	figure "$(tail -n 1 <<<"$said")"
}

@test "one that passed passes again, segment for segment, and leaves nothing" {
	local passing=() seed i
	repeat --seed 1 --impair "match='tcp' loss=20%" --repeat 12 --vary-seed -- "${fetch[@]}"
	mapfile -t passing < <(seq 1 12 | grep -vxF -f <(kept_seeds))
	[ ${#passing[@]} -ge 3 ]
	rm -rf "$KEPT"
	repeat --seed "${passing[0]}" --impair "match='tcp' loss=20%" --repeat 3 -- "${fetch[@]}"
	assert_success
	assert_output --regexp '^# 0 of 3 runs failed'
	[ ! -e "$KEPT" ]
	wait_for 5 no_engine
	for seed in "${passing[@]:0:4}"; do
		for i in 1 2; do
			in_client "$LAN_TEECEE" run --fresh -i va --ip $LAN_FAKE/24 --seed "$seed" \
				--impair "match='tcp' loss=20%" -p "$LAN_DIR/pass.pcapng" -- "${fetch[@]}"
			in_client "$LAN_TEECEE" stop -i va --ip $LAN_FAKE/24
			segments "$LAN_DIR/pass.pcapng" >"$LAN_DIR/pass$i"
		done
		[ "$(wc -l <"$LAN_DIR/pass1")" -ge 5 ]
		diff "$LAN_DIR/pass1" "$LAN_DIR/pass2"
	done
}

@test "a status, a signal and a time limit are told apart" {
	repeat --repeat 2 -- sh -c 'echo so it goes; exit 3'
	assert_failure 1
	assert_line --regexp '^# run 1, seed [0-9]+: exit status 3 after'
	assert_line --regexp '^# 2 of 2 runs failed'
	grep -qx 'so it goes' "$KEPT"/run1-*.log
	repeat --repeat 1 -- sh -c 'kill -SEGV $$'
	assert_failure 1
	assert_line --regexp 'seed [0-9]+: killed by signal 11 \(Segmentation fault\)'
	repeat --repeat 1 --timeout 1 -- sh -c 'trap "" TERM; cat <>/dev/ptmx'
	assert_failure 1
	assert_line --regexp 'not done in 1 s after [1-4]\.'
	repeat --repeat 3 -v -- true
	assert_success
	assert_line --regexp '^# run 3, seed [0-9]+: success'
}

@test "the line that replays is quoted as a shell needs it" {
	repeat --seed 7 --repeat 1 -- sh -c "echo 'a  b' \"\$0\"; exit 4" "it's"
	assert_failure 1
	local line
	line=$(grep ' run --fresh ' <<<"$output")
	run in_client bash -c "$line"
	assert_failure 4
	assert_output "a  b it's"
}

@test "the program reads nothing, and what it leaves running is ended" {
	repeat --repeat 1 -- sh -c 'cat; cat <>/dev/ptmx & echo $! >"$0"' "$LAN_DIR/left.pid"
	assert_success
	wait_for 5 gone "$(cat "$LAN_DIR/left.pid")"
}

@test "a pipe sees no progress; a terminal sees a line, and Ctrl-C ends it with a summary" {
	repeat --repeat 2 -- true
	refute_output --partial $'\r'
	run in_client timeout 60 python3 - "$LAN_TEECEE" run -i va --ip $LAN_FAKE/24 --keep "$KEPT" --repeat 1000 -- \
		curl -sS -o /dev/null $LAN_URL/ <<-'PYTHON'
			import os, pty, re, sys
			pid, fd = pty.fork()
			if pid == 0:
			    os.execv(sys.argv[1], sys.argv[1:])
			seen = b""
			told = False
			while True:
			    try:
			        data = os.read(fd, 4096)
			    except OSError:
			        break
			    seen += data
			    if not told and re.search(rb"[2-9] of 1000 runs, 0 failed, [0-9]+ s to go", seen):
			        told = os.write(fd, b"\x03")
			status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
			print(seen.decode().splitlines()[-1], status)
		PYTHON
	assert_success
	assert_output --regexp '# 0 of [0-9]+ runs failed until the interruption, [0-9.]+ s 130$'
	wait_for 5 no_engine # it has said goodbye, and may still be a process
	[ ! -e "$KEPT" ]
}

@test "an engine that cannot start is told once, not as a failure of each seed" {
	run in_client "$LAN_TEECEE" run -i va --ip $LAN_SERVER/24 --keep "$KEPT" --repeat 50 -- \
		curl -sS -o /dev/null http://10.77.0.3/
	assert_failure 125
	assert_one_clear_line "$LAN_SERVER"
	[ ! -e "$KEPT" ]
}

@test "an engine that serves somebody else is left alone" {
	spawn slow in_client "$LAN_TEECEE" run -i va --ip $LAN_FAKE/24 --impair 'in rate=100kbit' -- \
		curl -sS -o /dev/null $LAN_URL/100k
	up() { in_client "$LAN_TEECEE" ss | grep -q ESTAB; }
	wait_for 10 up
	repeat --repeat 2 -- true
	assert_failure 125
	assert_one_clear_line "serves process $(cat "$LAN_DIR/slow.pid")"
	run in_client "$LAN_TEECEE" run --fresh -i va --ip $LAN_FAKE/24 -- true
	assert_failure 125
	up
}

@test "options that cannot be: refused with position and example, and nothing is run" {
	local ran=$LAN_DIR/ran
	repeat --repeat 10x -- touch "$ran"
	assert_failure 125
	assert_one_clear_line '--repeat=10x: position 3, "x": .*as in --repeat 100'
	repeat --repeat 0 -- touch "$ran"
	assert_one_clear_line '--repeat=0: position 1, .*from 1 to'
	repeat --repeat 3 --timeout 1h -- touch "$ran"
	assert_one_clear_line '--timeout=1h: position 2, "h": .*as in --timeout 30'
	repeat -- touch "$ran"
	assert_one_clear_line '--keep goes with --repeat'
	run in_client "$LAN_TEECEE" run -i va --vary-seed -- touch "$ran"
	assert_failure 125
	assert_one_clear_line '--vary-seed goes with --repeat, as in --repeat 100 --vary-seed'
	repeat --repeat 3 -p "$LAN_DIR/x.pcapng" -- touch "$ran"
	assert_one_clear_line '--keep DIR instead of --pcap'
	repeat --repeat 3 --impair 'los=2%' -- touch "$ran"
	assert_one_clear_line 'position 1, "los=2%"'
	repeat --repeat 3 --seed x -- touch "$ran"
	assert_one_clear_line 'TEECEE_SEED=x'
	: >"$LAN_DIR/file"
	KEPT=$LAN_DIR/file
	repeat --repeat 3 -- touch "$ran"
	assert_failure 125
	[ ! -e "$ran" ]
}

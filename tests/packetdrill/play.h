/*
 * build/tests/packetdrill/play: plays scripts against the stack in virtual time, in packetdrill's
 * spirit with a small language of its own. No arguments: every *.script below tests/packetdrill;
 * else the files named. TAP.
 *
 * A line is one event, at the time of the one before it plus `+seconds` in front (none: +0):
 *
 *	< S 0:0(0) win 65535 <mss 1000,sackOK>   a segment from the peer
 *	< icmp frag_needed mtu 1000 seq 1        an error about what we sent
 *	> S. 0:0(0) ack 1 <mss 1460,sackOK>      the stack sends this, now
 *	+0.2~0.25 > . 1:1(0) ack 1               or in this window of time
 *	silence                                  it has sent nothing else up to now
 *	write(1000) = 1000                       a call; what fails has an errno: = EPIPE
 *	set nodelay = 1                          an option of core/stack/tcp.h
 *	assert cwnd == 10                        of struct tcp_stats, `state`, or a counter
 *	passive <mss 1000> win 65535 rtt 0.1     a whole handshake, with accept
 *	active <mss 1000> win 65535 rtt 0.1      a whole handshake, with connect
 *	mark                                     keeps our timestamp for <TS 100:mark>
 *	peer 2                                   from now on another port of the peer
 *
 * Sequence numbers count from each side's SYN; the peer's begins below 2^32, so that they wrap. In
 * what is expected, missing parts are not looked at: flags are (but P, unless it is written),
 * sequence numbers and length are. What is sent and not expected fails the script, at its end at
 * the latest.
 */
#ifndef TEECEE_TESTS_PACKETDRILL_PLAY_H
#define TEECEE_TESTS_PACKETDRILL_PLAY_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/wire/tcphdr.h"
#include "tests/packetdrill/psock.h"
#include "tests/packetdrill/world.h"

enum { PLAY_PEERS = 10, PLAY_LINE_MAX = 512, PLAY_SERVER_PORT = 80, PLAY_PEER_PORT = 40000 };

/* One port of the peer, and what is known of the connection to it. */
struct play_peer {
	struct seq32 our_isn, their_isn;
	bool known; /* our_isn is */
	uint16_t our_port;
	uint32_t last_ts; /* of ours, to echo */
	uint32_t marked_ts;
};

struct play {
	struct world world;
	const char *path;
	unsigned line;
	char text[PLAY_LINE_MAX];
	nsec time;  /* of the current event; equal to world.now unless it is an expectation */
	nsec slack; /* a window's length */
	struct psock *listener, *sock;
	struct play_peer peer[PLAY_PEERS];
	unsigned current;
	jmp_buf failed;
	char why[PLAY_LINE_MAX];
};

/* A segment as a script writes it: sequence numbers relative; what is absent is marked so. */
struct play_segment {
	struct tcp_hdr h;
	uint32_t len;
	uint8_t tos;
	bool has_seq, has_ack, has_win, has_opts, has_psh, has_ecr, has_mark, has_tos;
	bool is_icmp;
	uint8_t icmp_code;
	uint16_t icmp_mtu;
};

_Noreturn void play_fail(struct play *p, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* --- play_parse.c --- */
const char *play_skip(const char *at);
bool play_word(const char **at, const char *word); /* it stands there: skipped */
int64_t play_number(struct play *p, const char **at);
double play_seconds(struct play *p, const char **at);
void play_segment(struct play *p, const char *at, struct play_segment *out);

/* --- play_packet.c --- */
void play_inject(struct play *p, const struct play_segment *s);
void play_expect(struct play *p, const struct play_segment *s);
void play_silence(struct play *p);

/* --- play_call.c --- */
bool play_call(struct play *p, const char *at); /* false: no call */
void play_set(struct play *p, const char *at);
void play_assert(struct play *p, const char *at);
void play_connect(struct play *p);
void play_listen(struct play *p, int backlog);
int play_accept(struct play *p);

#endif

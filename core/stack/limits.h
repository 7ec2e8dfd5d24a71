/*
 * Every cap and timeout of the stack, with its reason, on one page.
 */
#ifndef TEECEE_STACK_LIMITS_H
#define TEECEE_STACK_LIMITS_H

#include "core/base/time.h"

/* ARP (RFC 826, RFC 1122 §2.3.2) */
#define ARP_RETRY (1 * SEC)           /* at most one request per second and neighbour: RFC 1122 §2.3.2.1 */
#define ARP_FAST_RETRY (200 * MSEC)   /* the first retry: a lost broadcast should not cost a second */
#define ARP_TRIES 4                   /* then EHOSTUNREACH, after about 3 s as Linux (3 probes, 1 s apart) */
#define ARP_LIFETIME (60 * SEC)       /* then the entry is asked again, unicast, while it is still used */
#define ARP_NEGATIVE (1 * SEC)        /* how long a failed neighbour refuses at once */
#define ARP_PENDING_MAX 212992        /* bytes that wait per neighbour; Linux's unres_qlen_bytes */
#define ARP_PENDING_TOTAL (4u << 20)  /* for all neighbours; beyond it one packet each: SYN floods forge hosts */
#define ARP_ENTRIES_MAX 1024          /* as Linux's gc_thresh3; the least recently used leaves */

/* RFC 5227 §1.1, and the stated departure PROBE_FAST */
#define ACD_PROBE_WAIT (1 * SEC)
#define ACD_PROBE_NUM 3
#define ACD_PROBE_MIN (1 * SEC)
#define ACD_PROBE_MAX (2 * SEC)
#define ACD_ANNOUNCE_WAIT (2 * SEC)
#define ACD_ANNOUNCE_NUM 2
#define ACD_ANNOUNCE_INTERVAL (2 * SEC)
#define ACD_DEFEND_INTERVAL (10 * SEC)
#define ACD_FAST_INTERVAL (50 * MSEC)

/* IPv4 */
#define IP_TTL_DEFAULT 64                     /* RFC 1122 §3.2.1.7, RFC 1700 */
#define REASM_TIMEOUT (30 * SEC)              /* Linux's ipfrag_time; RFC 1122 §3.3.2 asks 60..120 s */
#define REASM_MEM_MAX (4u << 20)              /* Linux's ipfrag_high_thresh */
#define REASM_DATAGRAMS_MAX 256
#define REASM_FRAGMENTS_MAX 64                /* per datagram: 64 KiB in 1 KiB pieces */
#define ICMP_ERROR_INTERVAL (1 * MSEC)        /* 1,000 a second: RFC 1812 §4.3.2.8, Linux's icmp_msgs_per_sec */
#define ICMP_ERROR_BURST 50                   /* Linux's icmp_msgs_burst */

/* Datagram sockets */
#define DGRAM_RCVBUF_DEFAULT 212992           /* net.core.rmem_default */
#define DGRAM_RCVBUF_MIN 2304                 /* SOCK_MIN_RCVBUF */
#define DGRAM_MEM_MAX ((size_t)256 << 20)     /* of all sockets; Linux's udp_mem is a share of RAM */
#define DGRAM_ERRORS_MAX 64                   /* queued per socket with IP_RECVERR */
#define DGRAM_GROUPS_MAX 20                   /* per socket: igmp_max_memberships */
#define UDP_DATA_MAX 65507                    /* 65,535 less the headers of IPv4 and UDP */

/* IGMP (RFC 3376 §8, RFC 2236 §8) */
#define IGMP_ROBUSTNESS 2                     /* how often a change is reported */
#define IGMP_V3_INTERVAL (1 * SEC)            /* Unsolicited Report Interval */
#define IGMP_V2_INTERVAL (10 * SEC)
#define IGMP_OLDER_QUERIER (260 * SEC)        /* 2 * 125 s and a response interval of 10 s */

/* The edges of the stack */
#define LOOP_BYTES_MAX (1u << 20)             /* packets to ourselves that wait: 16 super-segments */
#define LOOP_ROUNDS_MAX 64                    /* of one poll; then the owner gets its turn */
#define LINK_BUSY_RETRY (200 * USEC)          /* a full link is tried again: 17 full frames at 1 Gbit/s */

/* TCP timers */
#define TCP_RTO_INITIAL (1 * SEC)       /* RFC 6298 §2.1 */
#define TCP_SYN_AGAIN (2 * MSEC)        /* after the RST for an ACK of nothing; Linux's TCP_TIMEOUT_MIN */
#define TCP_RTO_AFTER_LOST_SYN (3 * SEC) /* RFC 6298 §5.7 */
#define TCP_RTO_MIN (200 * MSEC)        /* Linux's; RFC 6298 §2.4 says 1 s: every deployed stack departs */
#define TCP_RTO_MAX (120 * SEC)         /* RFC 6298 §2.5 asks for at least 60 s */
/*
 * RFC 8985's TLP.max_ack_delay: how long peers usually sit on an ACK. Linux waits 200 ms: up to 9 %
 * less goodput at 3 % loss.
 */
#define TCP_TLP_ACK_DELAY (40 * MSEC)
/* What a probe waits beyond two round trips: a busy peer's scheduler. Linux's two jiffies at 250 Hz. */
#define TCP_TLP_SLACK (8 * MSEC)
#define TCP_DELACK_MAX (40 * MSEC)      /* RFC 9293 §3.8.6.3 allows 500 ms; Linux's minimum */
#define TCP_DUP_THRESH 3                /* RFC 5681 §3.2 */
#define TCP_QUICKACK_SEGS 16            /* ACKed at once when young or after idleness: the peer is in slow start */
/*
 * After a hole: the peer's window has fallen, and it lives on every ACK that is not lost. At 1 to 3 % loss up to
 * 7 % more than every second segment and 10 ms bring.
 */
#define TCP_QUICKACK_AFTER_HOLE UINT8_MAX
#define TCP_SYN_RETRIES 6               /* tcp_syn_retries: 127 s */
#define TCP_SYNACK_RETRIES 5            /* tcp_synack_retries */
#define TCP_RETRIES 15                  /* tcp_retries2: 13 to 30 minutes; RFC 1122 §4.2.3.5 R2 of at least 100 s */
#define TCP_ORPHAN_RETRIES 8            /* tcp_orphan_retries */
#define TCP_TIME_WAIT (60 * SEC)        /* 2 MSL; Linux's value, RFC 9293 has MSL = 2 minutes */
#define TCP_FIN_WAIT_2 (60 * SEC)       /* tcp_fin_timeout, orphans only */
#define TCP_KEEPIDLE (7200 * SEC)       /* RFC 1122 §4.2.3.6 */
#define TCP_KEEPINTVL (75 * SEC)
#define TCP_KEEPCNT 9
#define TCP_CORK_MAX (200 * MSEC)       /* tcp(7) */
/*
 * Ticks of the peer's clock, milliseconds as a rule, by which a segment may be older than PAWS has it: far less than
 * the sequence numbers take to come round (2 GiB: 1.7 s at 10 Gbit/s).
 */
#define TCP_PAWS_SLACK 100
#define TCP_PAWS_IDLE (24 * 24 * 3600 * SEC) /* RFC 7323 §5.5: an older ts.recent is not believed */

/* TCP sizes */
#define IP_TCP_HDR_LEN 40
#define TCP_MTU_BASE 1064               /* Linux's tcp_base_mss of 1024: RFC 4821 §7.2, RFC 8899 §5.1.2 */
#define TCP_MTU_MIN 552                 /* Linux's min_pmtu: nobody makes us send crumbs */
#define TCP_MTU_REST (600 * SEC)        /* RFC 4821 §7.6.2, Linux's tcp_probe_interval */
#define TCP_MSS_DEFAULT 536             /* RFC 9293 §3.7.1 */
#define TCP_TS_OPTION_LEN 12            /* timestamps with their padding take it from every segment's MSS */
#define TCP_MAXSEG_MIN 88               /* of TCP_MAXSEG, as Linux's TCP_MIN_MSS */
#define TCP_MSS_MIN 48                  /* of what is offered; Linux's TCP_MIN_MSS is 88 with options */
#define TCP_INITIAL_WINDOW_SEGS 10      /* RFC 6928 */
#define TCP_RING_MIN (4u << 10)         /* first allocation of a ring: one page */
#define TCP_SNDBUF_MAX (4u << 20)       /* largest send ring; Linux's tcp_wmem max */
#define TCP_RCVBUF_INITIAL (256u << 10) /* the window a new connection may open to before autotuning */
#define TCP_RCVBUF_MAX (8u << 20)       /* largest receive ring; Linux's tcp_rmem max is 6 MiB, half of it window */
#define TCP_RCV_ROUND_MIN (100 * USEC)  /* what a window is for on the shortest path: either end may pause */
#define TCP_MEM_DEFAULT ((size_t)1 << 30)
#define TCP_RCVBUF_SCARCE (64u << 10)   /* window of those who need none of the memory, when it is used up */
#define TCP_OFO_RANGES_MAX 256          /* holes remembered per connection */
#define TCP_BACKLOG_MAX 4096            /* net.core.somaxconn */
/*
 * Per connection: challenge ACKs (RFC 5961 §7), answers to unacceptable segments;
 * tcp_invalid_ratelimit.
 */
#define TCP_ACK_LIMIT_INTERVAL (500 * MSEC)
#define TCP_PORT_EPHEMERAL_MIN 32768    /* ip_local_port_range */
#define TCP_PORT_EPHEMERAL_MAX 60999

#endif

/*
 * Every packet that is dropped, and what else is worth counting, by name. SNMP MIB names where the
 * MIBs have one (RFC 4293, RFC 4022), Linux's netstat names for its extensions. Counters only grow.
 */
#ifndef TEECEE_STACK_COUNTERS_H
#define TEECEE_STACK_COUNTERS_H

#include <stdint.h>

/* X(name, what it counts) */
#define STACK_COUNTERS(X)                                                                          \
	X(EthInShort, "frames shorter than an Ethernet header")                                    \
	X(EthInNotForUs, "frames to another MAC address")                                          \
	X(EthInUnknownType, "frames that are neither IPv4 nor ARP")                                \
	X(ArpInBad, "malformed ARP packets")                                                       \
	X(ArpInRequests, "ARP requests received for our address")                                  \
	X(ArpInReplies, "ARP replies received")                                                    \
	X(ArpOutRequests, "ARP requests sent")                                                     \
	X(ArpOutReplies, "ARP replies sent")                                                       \
	X(ArpConflicts, "ARP packets in which somebody else claims our address")                   \
	X(ArpFailed, "neighbours that never answered")                                             \
	X(ArpPendingDropped, "packets dropped because too many waited for a neighbour")            \
	X(IpInReceives, "IPv4 packets received")                                                   \
	X(IpInHdrErrors, "IPv4 packets with a bad version, length or header checksum")             \
	X(IpInAddrErrors, "IPv4 packets for another address or with an impossible source")         \
	X(IpInUnknownProtos, "IPv4 packets of a protocol we do not speak")                         \
	X(IpInDelivers, "IPv4 packets handed to TCP, UDP or ICMP")                                 \
	X(IpOutRequests, "IPv4 packets sent")                                                      \
	X(IpOutNoRoutes, "IPv4 packets without a route")                                           \
	X(IpOutBusy, "IPv4 packets the link had no room for")                                      \
	X(IpReasmReqds, "fragments received")                                                      \
	X(IpReasmOKs, "packets put together from fragments")                                       \
	X(IpReasmFails, "packets given up: time, memory, overlap or bad length")                   \
	X(IpReasmOverlaps, "fragments that overlapped others")                                     \
	X(IcmpInMsgs, "ICMP messages received")                                                    \
	X(IcmpInErrors, "ICMP messages that are malformed or about no connection of ours")         \
	X(IcmpInEchos, "echo requests received")                                                   \
	X(IcmpInDestUnreachs, "destination unreachables received")                                 \
	X(IcmpOutEchoReps, "echo replies sent")                                                    \
	X(IcmpOutDestUnreachs, "destination unreachables sent")                                    \
	X(IcmpOutRateLimited, "ICMP errors not sent because of the rate limit")                    \
	X(IcmpInEchoReps, "echo replies received")                                                 \
	X(IgmpInQueries, "IGMP queries received")                                                  \
	X(IgmpInErrors, "IGMP messages that are malformed or of no use to a host")                 \
	X(IgmpOutReports, "IGMP reports and leaves sent")                                          \
	X(UdpInDatagrams, "UDP datagrams delivered to a socket")                                   \
	X(UdpOutDatagrams, "UDP datagrams sent")                                                   \
	X(UdpNoPorts, "UDP datagrams to a port nobody has")                                        \
	X(UdpInErrors, "malformed UDP datagrams")                                                  \
	X(UdpInCsumErrors, "UDP datagrams with a wrong checksum")                                  \
	X(UdpRcvbufErrors, "datagrams dropped because the socket had no room")                     \
	X(TcpActiveOpens, "connections we began")                                                  \
	X(TcpPassiveOpens, "connections others began")                                             \
	X(TcpAttemptFails, "connections that never became established")                            \
	X(TcpEstabResets, "established connections reset")                                         \
	X(TcpInSegs, "segments received")                                                          \
	X(TcpOutSegs, "segments sent; a super-segment counts as what the wire carries")            \
	X(TcpRetransSegs, "segments retransmitted")                                                \
	X(TcpInErrs, "malformed segments")                                                         \
	X(TcpInCsumErrors, "segments with a wrong checksum")                                       \
	X(TcpOutRsts, "resets sent")                                                               \
	X(TcpInNoSocket, "segments for no connection of ours")                                     \
	X(TcpExtListenDrops, "SYNs not accepted: backlog or memory")                               \
	X(TcpExtSyncookiesSent, "SYNs answered without remembering them")                          \
	X(TcpExtSyncookiesRecv, "connections that a SYN cookie brought to life")                   \
	X(TcpExtSyncookiesFailed, "ACKs that carried no valid SYN cookie")                         \
	X(TcpExtTimeouts, "retransmission timeouts")                                               \
	X(TcpExtFastRetrans, "segments retransmitted before a timeout")                            \
	X(TcpExtLossProbes, "tail loss probes sent (RFC 8985)")                                    \
	X(TcpExtLossProbeRecovery, "losses repaired by a tail loss probe")                         \
	X(TcpExtOutOfWindow, "segments outside the receive window")                                \
	X(TcpExtPawsDrops, "segments dropped because their timestamp is old (RFC 7323)")           \
	X(TcpExtChallengeAcks, "challenge ACKs sent (RFC 5961)")                                   \
	X(TcpExtChallengeLimited, "challenge ACKs not sent because of the rate limit")             \
	X(TcpExtOfoQueued, "segments that arrived out of order and were kept")                     \
	X(TcpExtOfoDropped, "segments that arrived out of order and did not fit")                  \
	X(TcpExtRcvCoalesce, "segments that were taken together with the one before")              \
	X(TcpExtDupDropped, "segments that carried nothing new")                                   \
	X(TcpExtDelayedAcks, "ACKs sent because the delayed-ACK timer ran out")                    \
	X(TcpExtZeroWindowProbes, "probes of a closed window")                                     \
	X(TcpExtKeepAliveProbes, "keepalive probes sent")                                          \
	X(TcpExtAbortOnTimeout, "connections given up because the peer fell silent")               \
	X(TcpExtCeMarks, "data segments with a congestion mark (RFC 3168)")                        \
	X(TcpExtSpuriousRecoveries, "losses that were none, undone (RFC 3522, RFC 3708)")          \
	X(TcpExtMTUPFail, "path MTUs that full segments did not pass (RFC 2923)")                  \
	X(TcpExtMTUPSuccess, "probes of a larger path MTU that arrived (RFC 4821)")                \
	X(TcpExtEcnReductions, "window reductions because of an ECN echo")                         \
	X(TcpExtTimeWaitReused, "connections in TIME-WAIT taken over by a new SYN (RFC 6191)")     \
	X(TcpExtRenegedSacks, "SACKed data the peer took back")                                    \
	X(TcpExtNoMemory, "segments or connections refused for want of memory")

#define COUNTER_ENUM(name, text) CNT_##name,
enum counter { STACK_COUNTERS(COUNTER_ENUM) CNT_COUNT };
#undef COUNTER_ENUM

struct counters {
	uint64_t v[CNT_COUNT];
};

struct counter_info {
	const char *name, *text;
};

extern const struct counter_info counter_info[CNT_COUNT];

#endif

#include "core/host/drop.h"

#include <stddef.h>

#include "core/base/bytes.h"

#define DROP(name) {CNT_##name, "dropped: " #name}

static const struct drop {
	enum counter counter;
	const char *text;
} drops[] = {
	DROP(EthInShort),
	DROP(EthInNotForUs),
	DROP(EthInUnknownType),
	DROP(ArpInBad),
	DROP(IpInHdrErrors),
	DROP(IpInAddrErrors),
	DROP(IpInUnknownProtos),
	DROP(IpReasmFails),
	DROP(IcmpInErrors),
	DROP(UdpNoPorts),
	DROP(UdpInErrors),
	DROP(TcpInErrs),
	DROP(TcpInCsumErrors),
	DROP(TcpInNoSocket),
	DROP(TcpExtListenDrops),
	DROP(TcpExtOutOfWindow),
	DROP(TcpExtPawsDrops),
	DROP(TcpExtOfoDropped),
	DROP(TcpExtDupDropped),
	DROP(TcpExtNoMemory),
};

const char *drop_reason(const struct counters *before, const struct counters *after)
{
	for (size_t i = 0; i < ARRAY_LEN(drops); i++)
		if (before->v[drops[i].counter] != after->v[drops[i].counter])
			return drops[i].text;
	return NULL;
}

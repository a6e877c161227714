#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	MAC_LEN = 6,
	IP_LEN = 16, // of an address of either family; IPv4 has the first four bytes
	IPV4_BITS = 32,
	IPV6_BITS = 128,
	ETHER_IPV4 = 0x0800,
	ETHER_ARP = 0x0806,
	ETHER_IPV6 = 0x86dd,
	ETHER_LLDP = 0x88cc,
	ETHER_CONTROL = 0xbebe,
	PROTOCOL_ICMP = 1,
	PROTOCOL_TCP = 6,
	PROTOCOL_UDP = 17,
	PROTOCOL_ICMPV6 = 58,
};

// What sort of frame a key is of, as bits.
enum {
	KIND_IP = 1,	    // it has a protocol
	KIND_FRAGMENT = 2,  // a part of an IP packet: its ports are not known
	KIND_NEIGHBOUR = 4, // ARP, or IPv6 neighbour discovery: the addresses are the two ends
};

// All by which a rule can tell frames apart. As a key: what a frame has. As a mask: which bits
// count. It is hashed and compared as bytes: there is no padding, and what is not used is 0.
struct match_key {
	uint8_t destination_mac[MAC_LEN];
	uint16_t ether_type;  // host order, as the ports
	uint16_t source_port; // 0 unless TCP or UDP, and not a fragment
	uint16_t destination_port;
	uint8_t protocol; // the last next header of IPv6
	uint8_t kind;
	uint16_t number;	   // of the mask in its table; 0 outside of tables
	uint8_t source_ip[IP_LEN]; // network order; of ARP and neighbour discovery the asking end
	uint8_t destination_ip[IP_LEN];
};

static_assert(sizeof(struct match_key) == 48, "a match key has no padding");

// Which frames a rule is for. key has no bit that mask has not.
struct match {
	struct match_key key;
	struct match_key mask;
};

// The same as a user says it. What is not given is any.
struct match_fields {
	bool has_destination_mac, has_ether_type, has_protocol, has_source_port,
		has_destination_port;
	uint8_t destination_mac[MAC_LEN];
	uint16_t ether_type;
	uint8_t protocol;
	uint16_t source_port;
	uint16_t destination_port;
	uint16_t family;     // ETHER_IPV4 or ETHER_IPV6 of the addresses; 0: none is given
	uint8_t source_bits; // length of the prefix; 0: any source
	uint8_t destination_bits;
	uint8_t source_ip[IP_LEN];
	uint8_t destination_ip[IP_LEN];
};

// Makes the one match of these fields. Equal meaning gives equal bytes: a protocol without ports
// counts as ports 0, addresses imply their EtherType.
//
// Returns NULL, or what is wrong and the way out.
const char *match_make(const struct match_fields *fields, struct match *match);

// The fields of a match, such that match_make() gives it again.
void match_read(const struct match *match, struct match_fields *fields);

// True for a match of all five fields with whole addresses.
bool match_is_exact(const struct match *match);

// How many bits count: of two rules with the same priority the one with more of them wins.
unsigned match_bits(const struct match_key *mask);

// True, with *ends, if the match names an end: ARP and neighbour discovery between the ends of a
// rule go its way, and are found by this match.
bool match_ends(const struct match *match, struct match *ends);

// A total order: below, equal to or above 0.
int match_compare(const struct match *a, const struct match *b);

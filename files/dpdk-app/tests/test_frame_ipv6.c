#include "tests/frames.h"

#define PREFIX "\xfd\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
#define SOURCE PREFIX "\x0b"
#define TARGET PREFIX "\x15"
#define GROUP  "\xff\x02\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\xff\x00\x00\x15"

// A header of 40 bytes: first byte, payload length, next header, hop limit, destination.
#define HEADER(first, payload, next, hops, destination)                                            \
	"\x86\xdd" first "\x00\x00\x00" payload next hops SOURCE destination
#define IPV6(payload, next) HEADER("\x60", payload, next, "\x40", TARGET)
#define ND(payload, hops)   HEADER("\x60", payload, "\x3a", hops, GROUP)

// Extension headers: next header and length in units of 8 bytes, of 4 bytes.
#define REST6		     "\x00\x00\x00\x00\x00\x00"
#define EXTENSION(next, len) next len REST6
#define LONG_EXTENSION(next) next "\x01" REST6 "\x00\x00" REST6
#define FRAGMENT(next, at)   next "\x00" at "\x00\x00\x00\x01"

// Neighbour messages: type, code, and the option of a MAC address: type, length.
#define MESSAGE(type, code) type code "\x00\x00\x00\x00\x00\x00" TARGET
#define SOLICITATION	    MESSAGE("\x87", "\x00")
#define ADVERTISEMENT	    MESSAGE("\x88", "\x00")
#define OPTION(type, mac)   type "\x01" mac

#define KEY_PADDED(padding, protocol, kind, ...)                                                   \
	KEY_IP(padding, ETHER_IPV6, protocol, kind, SOURCE, TARGET, __VA_ARGS__)
#define KEY_PORTS(protocol)    KEY_PADDED(0, protocol, KIND_IP, WITH_PORTS)
#define KEY_NO_PORTS(protocol) KEY_PADDED(0, protocol, KIND_IP, NO_PORTS)
#define KEY_FRAGMENT(protocol) KEY_PADDED(0, protocol, KIND_IP | KIND_FRAGMENT, NO_PORTS)
#define KEY_NEIGHBOUR(from, to)                                                                    \
	KEY_IP(0, ETHER_IPV6, 58, KIND_IP | KIND_NEIGHBOUR, from, to, NO_PORTS)

#define SEVEN_OPTIONS                                                                              \
	EXTENSION("\x3c", "\x00")                                                                  \
	EXTENSION("\x3c", "\x00")                                                                  \
	EXTENSION("\x3c", "\x00")                                                                  \
	EXTENSION("\x3c", "\x00")                                                                  \
	EXTENSION("\x3c", "\x00")                                                                  \
	EXTENSION("\x3c", "\x00")                                                                  \
	EXTENSION("\x3c", "\x00")

static const struct vm_row packets[] = {
	{"UDP is read", BYTES(ETHER IPV6("\x00\x08", "\x11") UDP), KEEP, KEY_PORTS(17)},
	{"TCP is read", BYTES(ETHER IPV6("\x00\x14", "\x06") TCP), KEEP, KEY_PORTS(6)},
	{"traffic class and flow label do not count",
	 BYTES(ETHER HEADER("\x6f", "\x00\x08", "\x11", "\x40", TARGET) UDP), KEEP, KEY_PORTS(17)},
	{"padding behind the packet is not read",
	 BYTES(ETHER IPV6("\x00\x08", "\x11") UDP "padding"), KEEP,
	 KEY_PADDED(7, 17, KIND_IP, WITH_PORTS)},
	{"an echo request has no ports",
	 BYTES(ETHER IPV6("\x00\x08", "\x3a") "\x80\x00\x00\x00\x00\x01\x00\x01"), KEEP,
	 KEY_NO_PORTS(58)},
	{"ICMPv6 may be a header alone", BYTES(ETHER IPV6("\x00\x04", "\x3a") "\x80\x00\x00\x00"),
	 KEEP, KEY_NO_PORTS(58)},

	{"ports stand behind hop-by-hop options",
	 BYTES(ETHER IPV6("\x00\x18", "\x00") LONG_EXTENSION("\x11") UDP), KEEP, KEY_PORTS(17)},
	{"behind routing", BYTES(ETHER IPV6("\x00\x18", "\x2b") LONG_EXTENSION("\x11") UDP), KEEP,
	 KEY_PORTS(17)},
	{"behind destination options",
	 BYTES(ETHER IPV6("\x00\x18", "\x3c") LONG_EXTENSION("\x11") UDP), KEEP, KEY_PORTS(17)},
	{"behind mobility", BYTES(ETHER IPV6("\x00\x18", "\x87") LONG_EXTENSION("\x11") UDP), KEEP,
	 KEY_PORTS(17)},
	{"behind host identity", BYTES(ETHER IPV6("\x00\x18", "\x8b") LONG_EXTENSION("\x11") UDP),
	 KEEP, KEY_PORTS(17)},
	{"behind shim6", BYTES(ETHER IPV6("\x00\x18", "\x8c") LONG_EXTENSION("\x11") UDP), KEEP,
	 KEY_PORTS(17)},
	{"behind authentication, which counts in 4 bytes",
	 BYTES(ETHER IPV6("\x00\x14", "\x33") EXTENSION("\x11", "\x01") "\x00\x00\x00\x00" UDP),
	 KEEP, KEY_PORTS(17)},
	{"behind a short extension header",
	 BYTES(ETHER IPV6("\x00\x10", "\x00") EXTENSION("\x11", "\x00") UDP), KEEP, KEY_PORTS(17)},
	{"behind two different ones",
	 BYTES(ETHER IPV6("\x00\x18", "\x00") EXTENSION("\x2b", "\x00") EXTENSION("\x11", "\x00")
		       UDP),
	 KEEP, KEY_PORTS(17)},
	{"behind eight, which are the most",
	 BYTES(ETHER IPV6("\x00\x48", "\x3c") SEVEN_OPTIONS EXTENSION("\x11", "\x00") UDP), KEEP,
	 KEY_PORTS(17)},
	{"nine are malformed",
	 BYTES(ETHER IPV6("\x00\x50", "\x00") EXTENSION("\x3c", "\x00")
		       SEVEN_OPTIONS EXTENSION("\x11", "\x00") UDP),
	 DROP_MALFORMED, NO_KEY},
	{"an encrypted packet has no ports", BYTES(ETHER IPV6("\x00\x08", "\x32") UDP), KEEP,
	 KEY_NO_PORTS(50)},
	{"a packet may be a header alone", BYTES(ETHER IPV6("\x00\x00", "\x3b")), KEEP,
	 KEY_NO_PORTS(59)},
	{"no next header is the end",
	 BYTES(ETHER IPV6("\x00\x10", "\x3c") EXTENSION("\x3b", "\x00") UDP), KEEP,
	 KEY_NO_PORTS(59)},

	{"a first fragment has no ports",
	 BYTES(ETHER IPV6("\x00\x10", "\x2c") FRAGMENT("\x11", "\x00\x01") UDP), KEEP,
	 KEY_FRAGMENT(17)},
	{"a last fragment has no ports",
	 BYTES(ETHER IPV6("\x00\x10", "\x2c") FRAGMENT("\x06", "\x00\x08") UDP), KEEP,
	 KEY_FRAGMENT(6)},
	{"a fragment may be short",
	 BYTES(ETHER IPV6("\x00\x08", "\x2c") FRAGMENT("\x11", "\xff\xf8")), KEEP,
	 KEY_FRAGMENT(17)},
	{"what a fragment begins with is not passed",
	 BYTES(ETHER IPV6("\x00\x18", "\x2c") FRAGMENT("\x3c", "\x00\x08") EXTENSION("\x11", "\x00")
		       UDP),
	 KEEP, KEY_FRAGMENT(60)},
	{"a fragment of neighbour discovery is a fragment",
	 BYTES(ETHER IPV6("\x00\x20", "\x2c") FRAGMENT("\x3a", "\x00\x01") SOLICITATION), KEEP,
	 KEY_FRAGMENT(58)},
	{"one fragment that is all (RFC 6946) has ports",
	 BYTES(ETHER IPV6("\x00\x10", "\x2c") FRAGMENT("\x11", "\x00\x06") UDP), KEEP,
	 KEY_PORTS(17)},

	{"an ether header alone is truncated", BYTES(ETHER "\x86\xdd"), DROP_TRUNCATED, NO_KEY},
	{"a payload length beyond the frame is truncated",
	 BYTES(ETHER IPV6("\x00\x09", "\x11") UDP), DROP_TRUNCATED, NO_KEY},
	{"an extension header beyond the payload is truncated",
	 BYTES(ETHER IPV6("\x00\x10", "\x00") EXTENSION("\x11", "\x02") UDP "padding."),
	 DROP_TRUNCATED, NO_KEY},
	{"7 bytes of an extension header are truncated",
	 BYTES(ETHER IPV6("\x00\x07", "\x3c") EXTENSION("\x3b", "\x00")), DROP_TRUNCATED, NO_KEY},
	{"7 bytes of a fragment header are truncated",
	 BYTES(ETHER IPV6("\x00\x07", "\x2c") FRAGMENT("\x11", "\x00\x08")), DROP_TRUNCATED,
	 NO_KEY},
	{"an extension header without what it names is truncated",
	 BYTES(ETHER IPV6("\x00\x08", "\x3c") EXTENSION("\x11", "\x00")), DROP_TRUNCATED, NO_KEY},
	{"UDP of 7 bytes is truncated", BYTES(ETHER IPV6("\x00\x07", "\x11") UDP), DROP_TRUNCATED,
	 NO_KEY},
	{"UDP in padding alone is truncated", BYTES(ETHER IPV6("\x00\x00", "\x11") UDP),
	 DROP_TRUNCATED, NO_KEY},
	{"TCP of 19 bytes is truncated", BYTES(ETHER IPV6("\x00\x13", "\x06") TCP), DROP_TRUNCATED,
	 NO_KEY},
	{"ICMPv6 of 3 bytes is truncated", BYTES(ETHER IPV6("\x00\x03", "\x3a") "\x80\x00\x00\x00"),
	 DROP_TRUNCATED, NO_KEY},
	{"IP version 4 under this EtherType is malformed",
	 BYTES(ETHER HEADER("\x45", "\x00\x08", "\x11", "\x40", TARGET) UDP), DROP_MALFORMED,
	 NO_KEY},
	{"a jumbogram is malformed",
	 BYTES(ETHER IPV6("\x00\x00", "\x00") "\x11\x00\xc2\x04\x00\x01\x00\x00" UDP),
	 DROP_MALFORMED, NO_KEY},
};

static const struct vm_row neighbours[] = {
	{"a solicitation goes from its source to its target",
	 BYTES(ETHER ND("\x00\x18", "\xff") SOLICITATION), KEEP, KEY_NEIGHBOUR(SOURCE, TARGET)},
	{"an advertisement goes from its target to its destination",
	 BYTES(ETHER ND("\x00\x18", "\xff") ADVERTISEMENT), KEEP, KEY_NEIGHBOUR(TARGET, GROUP)},
	{"a solicitation may name the VM's MAC",
	 BYTES(ETHER ND("\x00\x20", "\xff") SOLICITATION OPTION("\x01", GUEST)), KEEP,
	 KEY_NEIGHBOUR(SOURCE, TARGET)},
	{"an advertisement may too",
	 BYTES(ETHER ND("\x00\x20", "\xff") ADVERTISEMENT OPTION("\x02", GUEST)), KEEP,
	 KEY_NEIGHBOUR(TARGET, GROUP)},
	{"other options are passed over",
	 BYTES(ETHER ND("\x00\x28", "\xff") SOLICITATION "\x0e\x02" REST6 REST6 "\x00\x00"), KEEP,
	 KEY_NEIGHBOUR(SOURCE, TARGET)},
	{"an extension header may stand before it",
	 BYTES(ETHER HEADER("\x60", "\x00\x20", "\x3c", "\xff", GROUP) EXTENSION("\x3a", "\x00")
		       SOLICITATION),
	 KEEP, KEY_NEIGHBOUR(SOURCE, TARGET)},

	{"23 bytes are truncated", BYTES(ETHER ND("\x00\x17", "\xff") SOLICITATION), DROP_TRUNCATED,
	 NO_KEY},
	{"7 bytes of an option are truncated",
	 BYTES(ETHER ND("\x00\x1f", "\xff") SOLICITATION OPTION("\x01", GUEST)), DROP_TRUNCATED,
	 NO_KEY},
	{"an option beyond the message is truncated",
	 BYTES(ETHER ND("\x00\x20", "\xff") SOLICITATION "\x0e\x02" REST6), DROP_TRUNCATED, NO_KEY},
	{"a solicitation that a router could have sent on is malformed",
	 BYTES(ETHER ND("\x00\x18", "\xfe") SOLICITATION), DROP_MALFORMED, NO_KEY},
	{"an advertisement that a router could have sent on is malformed",
	 BYTES(ETHER ND("\x00\x18", "\x40") ADVERTISEMENT), DROP_MALFORMED, NO_KEY},
	{"another code is malformed", BYTES(ETHER ND("\x00\x18", "\xff") MESSAGE("\x87", "\x01")),
	 DROP_MALFORMED, NO_KEY},
	{"an option of length 0 is malformed",
	 BYTES(ETHER ND("\x00\x20", "\xff") SOLICITATION "\x0e\x00" REST6), DROP_MALFORMED, NO_KEY},
	{"a long MAC address is malformed",
	 BYTES(ETHER ND("\x00\x28", "\xff") SOLICITATION "\x01\x02" GUEST "\x00\x00" REST6),
	 DROP_MALFORMED, NO_KEY},
	{"a solicitation from another MAC is dropped",
	 BYTES(ETHER ND("\x00\x20", "\xff") SOLICITATION OPTION("\x01", PEER)), DROP_ND_SENDER,
	 NO_KEY},
	{"an advertisement of another MAC is dropped",
	 BYTES(ETHER ND("\x00\x20", "\xff") ADVERTISEMENT OPTION("\x02", PEER)), DROP_ND_SENDER,
	 NO_KEY},
	{"another MAC behind the VM's own is found",
	 BYTES(ETHER ND("\x00\x28", "\xff") ADVERTISEMENT OPTION("\x02", GUEST)
		       OPTION("\x02", PEER)),
	 DROP_ND_SENDER, NO_KEY},
};

int main(void) {
	return RUN_TABLE(packets, check_from_vm) + RUN_TABLE(packets, check_changed_bytes) +
	       RUN_TABLE(neighbours, check_from_vm) + RUN_TABLE(neighbours, check_changed_bytes);
}

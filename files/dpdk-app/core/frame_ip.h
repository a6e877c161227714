#pragma once

#include <stddef.h>
#include <stdint.h>

#include "core/drop.h"
#include "core/match.h"

// The parts of frame_from_vm() that read what is behind the EtherType; *key is 0 but for what is
// before. len is up to the frame's end.

// Ports of TCP and UDP, of an IP payload with len bytes.
enum drop read_ports(const uint8_t *payload, size_t len, struct match_key *key);

// IPv6 (RFC 8200) and neighbour discovery (RFC 4861).
enum drop read_ipv6(const uint8_t *ip, size_t len, const uint8_t mac[MAC_LEN],
		    struct match_key *key);

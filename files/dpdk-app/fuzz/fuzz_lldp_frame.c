// Any bytes as an LLDP frame from the uplink. One that is accepted begins with the three TLVs that
// it has to, and its neighbour comes and goes.

#include <string.h>

#include "core/bytes.h"
#include "core/frame.h"
#include "core/neighbours.h"
#include "fuzz/target.h"

enum { TLV_HEADER_LEN = 2, TTL_TLV_LEN = 4 };

// Behind a TLV of this type, which is there.
static const uint8_t *behind(const uint8_t *at, unsigned type) {
	assert(be16(at) >> 9 == type);
	return at + TLV_HEADER_LEN + (be16(at) & 0x1ff);
}

static void check_heard(const uint8_t *data, size_t size, const struct lldp_heard *heard) {
	const uint8_t *ttl = behind(behind(heard->id, 1), 2);

	assert(size <= LLDP_FRAME_MAX);
	assert(heard->id == data + ETHER_HEADER_LEN);
	assert(ttl == heard->id + heard->id_len && be16(ttl) == (3 << 9 | 2));
	assert(ttl + TTL_TLV_LEN <= data + size);
	assert(be16(ttl + TLV_HEADER_LEN) == heard->ttl_s);
	assert(lldp_hash(heard->id, heard->id_len) != 0);
}

static unsigned places(const struct neighbours *neighbours) {
	unsigned taken = 0;

	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++)
		taken += neighbours->list[i].len > 0;
	return taken;
}

// The same neighbour comes, comes again, and goes.
static void check_neighbours(const uint8_t *data, size_t size, const struct lldp_heard *heard) {
	static struct neighbours neighbours;
	const unsigned wanted = heard->ttl_s > 0;

	neighbours = (struct neighbours){0};
	for (unsigned round = 0; round < 2; round++) {
		assert(neighbours_hear(&neighbours, data, size, heard, round));
		assert(places(&neighbours) == wanted);
		assert(!wanted || memcmp(neighbours.list[0].frame, data, size) == 0);
	}
	neighbours_expire(&neighbours, 1000 * (uint64_t)heard->ttl_s);
	assert(places(&neighbours) == wanted);
	neighbours_expire(&neighbours, 1000 * (uint64_t)heard->ttl_s + 1);
	assert(places(&neighbours) == 0);
}

// What the switch writes, with a name of any bytes, it reads.
static void check_written(const uint8_t *data, size_t size) {
	static const uint8_t mac[MAC_LEN] = {2, 0, 0, 0, 0, 7};
	char name[LLDP_NAME_MAX + 1] = "";
	uint8_t frame[LLDP_OWN_MAX];
	struct lldp_heard heard;

	memcpy(name, data, size < LLDP_NAME_MAX ? size : LLDP_NAME_MAX);

	const uint16_t ttl_s = (uint16_t)size;
	const size_t len = lldp_write(mac, ttl_s, name, frame);

	assert(len >= LLDP_OWN_MIN && len <= LLDP_OWN_MAX);
	assert(lldp_is_group(frame) && be16(frame + 2 * MAC_LEN) == ETHER_LLDP);
	assert(lldp_read(frame, len, &heard) && heard.ttl_s == ttl_s);
	check_heard(frame, len, &heard);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct lldp_heard heard;

	if (lldp_read(data, size, &heard)) {
		check_heard(data, size, &heard);
		check_neighbours(data, size, &heard);
	}
	check_written(data, size);
	return 0;
}

#include "tests/table.h"

#include <string.h>

#include "core/bytes.h"
#include "core/frame.h"
#include "core/lldp.h"

#define SENDER	"\x02\x00\x00\x00\x00\x07"
#define GROUP	"\x01\x80\xc2\x00\x00\x0e"
#define ETHER	GROUP SENDER "\x88\xcc"
#define CHASSIS "\x02\x07\x04" SENDER // by its MAC
#define PORT                                                                                       \
	"\x04\x05\x05"                                                                             \
	"eth2"			       // by its name
#define TTL	    "\x06\x02\x00\x78" // 120 s
#define END	    "\x00\x00"
#define BYTES(text) text, sizeof(text) - 1

// 64 bytes.
#define LONG "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

struct row {
	const char *name;
	const char *data;
	size_t len;
	bool good;
	size_t id_len;
	uint16_t ttl_s;
	size_t padding; // bytes at the end without which it is good as well
};

#define GOOD(id, ttl_s, padding) true, sizeof(id) - 1, ttl_s, padding
#define BAD			 false, 0, 0, 0

static const struct row rows[] = {
	{"the least that there is", BYTES(ETHER CHASSIS PORT TTL), GOOD(CHASSIS PORT, 120, 0)},
	{"an end", BYTES(ETHER CHASSIS PORT TTL END), GOOD(CHASSIS PORT, 120, 2)},
	{"padding behind the end is nothing", BYTES(ETHER CHASSIS PORT TTL END "\x02\xff\xff"),
	 GOOD(CHASSIS PORT, 120, 5)},
	{"a Chameleon host, whose address has no family",
	 BYTES(ETHER "\x02\x05\x05\x0a\x00\x00\x01\x04\x03\x07\x00\x00\x06\x02\x00\x78" END),
	 GOOD("\x02\x05\x05\x0a\x00\x00\x01\x04\x03\x07\x00\x00", 120, 2)},
	{"a standard host, whose address has one",
	 BYTES(ETHER "\x02\x06\x05\x01\x0a\x00\x00\x01" PORT TTL END),
	 GOOD("\x02\x06\x05\x01\x0a\x00\x00\x01" PORT, 120, 2)},
	{"a neighbour that goes away", BYTES(ETHER CHASSIS PORT "\x06\x02\x00\x00" END),
	 GOOD(CHASSIS PORT, 0, 2)},
	{"the longest time", BYTES(ETHER CHASSIS PORT "\x06\x02\xff\xff" END),
	 GOOD(CHASSIS PORT, 65535, 2)},
	{"the shortest ids", BYTES(ETHER "\x02\x02\x07x\x04\x02\x07y" TTL END),
	 GOOD("\x02\x02\x07x\x04\x02\x07y", 120, 2)},
	{"the longest ids",
	 BYTES(ETHER "\x03\x00" LONG LONG LONG LONG "\x05\x00" LONG LONG LONG LONG TTL END),
	 GOOD("\x03\x00" LONG LONG LONG LONG "\x05\x00" LONG LONG LONG LONG, 120, 2)},
	{"other TLVs are passed over",
	 BYTES(ETHER CHASSIS PORT TTL "\x0a\x02hi\xfe\x04\x00\x80\xc2\x01" END),
	 GOOD(CHASSIS PORT, 120, 2)},

	{"nothing", BYTES(""), BAD},
	{"a header alone", BYTES(ETHER), BAD},
	{"no chassis id", BYTES(ETHER PORT TTL END), BAD},
	{"an end in place of a chassis id", BYTES(ETHER END CHASSIS PORT TTL), BAD},
	{"no port id", BYTES(ETHER CHASSIS TTL END), BAD},
	{"no time to live", BYTES(ETHER CHASSIS PORT END), BAD},
	{"another TLV in front of the time to live", BYTES(ETHER CHASSIS PORT "\x0a\x02hi" TTL END),
	 BAD},
	{"the port id first", BYTES(ETHER PORT CHASSIS TTL END), BAD},
	{"a second chassis id", BYTES(ETHER CHASSIS PORT TTL CHASSIS END), BAD},
	{"a second port id", BYTES(ETHER CHASSIS PORT TTL PORT END), BAD},
	{"a second time to live", BYTES(ETHER CHASSIS PORT TTL TTL END), BAD},
	{"a chassis id that is only a subtype", BYTES(ETHER "\x02\x01\x04" PORT TTL END), BAD},
	{"a chassis id that is too long", BYTES(ETHER "\x03\x01x" LONG LONG LONG LONG PORT TTL END),
	 BAD},
	{"an empty port id", BYTES(ETHER CHASSIS "\x04\x00" TTL END), BAD},
	{"a time to live of one byte", BYTES(ETHER CHASSIS PORT "\x06\x01\x78" END), BAD},
	{"a time to live of three bytes", BYTES(ETHER CHASSIS PORT "\x06\x03\x00\x78\x00" END),
	 BAD},
	{"a chassis id that goes beyond the frame", BYTES(ETHER "\x03\xff\x04" SENDER), BAD},
	{"an optional TLV that goes beyond the frame",
	 BYTES(ETHER CHASSIS PORT TTL "\x0a\x05hi" END), BAD},
	{"half the header of a TLV", BYTES(ETHER CHASSIS PORT TTL "\x0a"), BAD},
	{"an end with something in it", BYTES(ETHER CHASSIS PORT TTL "\x00\x01x"), BAD},
};

// On the heap, so that the address sanitizer sees any byte read behind the end.
static bool read_prefix(const struct row *row, size_t len, struct lldp_heard *heard) {
	uint8_t *data = malloc(len > 0 ? len : 1);

	assert_non_null(data);
	memcpy(data, row->data, len);

	const bool good = lldp_read(data, len, heard);

	if (good && row->good) {
		assert_ptr_equal(heard->id, data + ETHER_HEADER_LEN);
		assert_memory_equal(heard->id, row->data + ETHER_HEADER_LEN, row->id_len);
	}
	free(data);
	return good;
}

static void check_read(void **state) {
	const struct row *row = *state;
	struct lldp_heard heard;

	assert_int_equal(read_prefix(row, row->len, &heard), row->good);
	if (!row->good)
		return;
	assert_int_equal(heard.id_len, row->id_len);
	assert_int_equal(heard.ttl_s, row->ttl_s);
	assert_true(read_prefix(row, row->len - row->padding, &heard));
	for (size_t len = 0; len < ETHER_HEADER_LEN + row->id_len + 4; len++)
		assert_false(read_prefix(row, len, &heard));
}

// No byte string may make it read outside of it.
static void check_changed_bytes(void **state) {
	static const uint8_t extremes[] = {0x00, 0x01, 0x02, 0x04, 0x06, 0x07, 0x7f, 0x80, 0xff};
	const struct row *row = *state;

	for (size_t len = 0; len <= row->len; len++) {
		uint8_t *data = malloc(len > 0 ? len : 1);

		assert_non_null(data);
		memcpy(data, row->data, len);
		for (size_t at = 0; at < len; at++) {
			for (size_t e = 0; e < sizeof(extremes); e++) {
				struct lldp_heard heard;

				data[at] = extremes[e];
				if (lldp_read(data, len, &heard))
					assert_true(ETHER_HEADER_LEN + heard.id_len + 4 <= len);
			}
			data[at] = (uint8_t)row->data[at];
		}
		free(data);
	}
}

struct group_row {
	const char *name;
	const char *mac;
	bool group;
};

static const struct group_row groups[] = {
	{"the nearest bridge", GROUP, true},
	{"the nearest bridge that is no relay", "\x01\x80\xc2\x00\x00\x03", true},
	{"the nearest customer bridge", "\x01\x80\xc2\x00\x00\x00", true},
	{"pause frames", "\x01\x80\xc2\x00\x00\x01", false},
	{"another block", "\x01\x80\xc2\x00\x01\x0e", false},
	{"a unicast address", "\x00\x80\xc2\x00\x00\x0e", false},
	{"broadcast", "\xff\xff\xff\xff\xff\xff", false},
};

static void check_group(void **state) {
	const struct group_row *row = *state;

	assert_int_equal(lldp_is_group((const uint8_t *)row->mac), row->group);
}

static void a_frame_is_no_longer_than_ethernet_allows(void **state) {
	uint8_t *data = calloc(1, LLDP_FRAME_MAX + 1);
	struct lldp_heard heard;

	(void)state;
	assert_non_null(data);
	memcpy(data, BYTES(ETHER CHASSIS PORT TTL));
	assert_true(lldp_read(data, LLDP_FRAME_MAX, &heard));
	assert_false(lldp_read(data, LLDP_FRAME_MAX + 1, &heard));
	free(data);
}

static const uint8_t mac[MAC_LEN] = {0x02, 0, 0, 0, 0, 0x07};

static void the_frame_of_the_switch_is_this_one(void **state) {
	static const char wanted[] = ETHER CHASSIS "\x04\x02\x07"
						   "0" TTL "\x08\x06"
						   "uplink"
						   "\x0a\x05"
						   "alpha" END;
	uint8_t frame[LLDP_OWN_MAX];
	static const uint8_t zeros[LLDP_OWN_MIN];

	(void)state;
	memset(frame, 0xa5, sizeof(frame)); // what was there before does not leave
	assert_int_equal(lldp_write(mac, 120, "alpha", frame), LLDP_OWN_MIN);
	assert_memory_equal(frame, wanted, sizeof(wanted) - 1);
	assert_memory_equal(frame + sizeof(wanted) - 1, zeros, LLDP_OWN_MIN - (sizeof(wanted) - 1));
}

static void with_any_name_it_is_read(void **state) {
	char name[LLDP_NAME_MAX + 1] = "";
	uint8_t frame[LLDP_OWN_MAX];
	struct lldp_heard heard;

	(void)state;
	for (size_t len = 1; len <= LLDP_NAME_MAX; len++) {
		name[len - 1] = 'x';

		const size_t written = lldp_write(mac, 7, name, frame);

		assert_int_equal(written, 43 + len > LLDP_OWN_MIN ? 43 + len : LLDP_OWN_MIN);
		assert_true(lldp_read(frame, written, &heard));
		assert_int_equal(heard.ttl_s, 7);
		assert_int_equal(heard.id_len, 9 + 4);
		assert_true(lldp_is_group(frame));
		assert_int_equal(be16(frame + 2 * MAC_LEN), ETHER_LLDP);
	}
	assert_int_equal(lldp_write(mac, 7, name, frame), LLDP_OWN_MAX);
}

static void each_byte_of_an_id_changes_its_hash(void **state) {
	uint8_t id[32] = {0};

	(void)state;
	for (size_t len = 1; len <= sizeof(id); len++) {
		const uint64_t hash = lldp_hash(id, len);

		assert_true(hash != 0 && hash != lldp_hash(id, len - 1));
		for (size_t at = 0; at < len; at++) {
			id[at] = 1;
			assert_true(lldp_hash(id, len) != hash);
			id[at] = 0;
		}
	}
}

int main(void) {
	const struct CMUnitTest whole[] = {
		cmocka_unit_test(a_frame_is_no_longer_than_ethernet_allows),
		cmocka_unit_test(the_frame_of_the_switch_is_this_one),
		cmocka_unit_test(with_any_name_it_is_read),
		cmocka_unit_test(each_byte_of_an_id_changes_its_hash),
	};

	return RUN_TABLE(rows, check_read) + RUN_TABLE(rows, check_changed_bytes) +
	       RUN_TABLE(groups, check_group) + cmocka_run_group_tests(whole, NULL, NULL);
}

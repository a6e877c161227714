#include "tests/table.h"

#include <stdio.h>
#include <string.h>

#include "core/neighbours.h"

enum { NOW_MS = 1000000, TTL_S = 120 };

static struct neighbours neighbours;

// Hears the frame of a neighbour with this system name as chassis.
static bool hear(const char *chassis, const char *port, uint16_t ttl_s, uint64_t now_ms) {
	uint8_t frame[LLDP_FRAME_MAX] = {0};
	const size_t chassis_len = strlen(chassis), port_len = strlen(port);
	struct lldp_heard heard;
	uint8_t *at = frame + 14;

	*at++ = 0x02;
	*at++ = (uint8_t)(1 + chassis_len);
	*at++ = 7;
	at = (uint8_t *)memcpy(at, chassis, chassis_len) + chassis_len;
	*at++ = 0x04;
	*at++ = (uint8_t)(1 + port_len);
	*at++ = 7;
	at = (uint8_t *)memcpy(at, port, port_len) + port_len;
	*at++ = 0x06;
	*at++ = 2;
	*at++ = (uint8_t)(ttl_s >> 8);
	*at++ = (uint8_t)ttl_s;

	const size_t len = (size_t)(at - frame);

	assert_true(lldp_read(frame, len, &heard));
	return neighbours_hear(&neighbours, frame, len, &heard, now_ms);
}

static unsigned count(void) {
	unsigned found = 0;

	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++)
		found += neighbours.list[i].len > 0;
	return found;
}

static bool knows(const char *chassis) {
	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++)
		if (neighbours.list[i].len > 0 &&
		    memcmp(neighbours.list[i].frame + 17, chassis, strlen(chassis)) == 0)
			return true;
	return false;
}

static int empty(void **state) {
	(void)state;
	neighbours = (struct neighbours){0};
	return 0;
}

static void a_frame_is_kept_as_it_came(void **state) {
	const struct neighbour *first = &neighbours.list[0];

	(void)state;
	assert_true(hear("leaf", "eth2", TTL_S, NOW_MS));
	assert_int_equal(count(), 1);
	assert_int_equal(first->len, 14 + 7 + 7 + 4);
	assert_memory_equal(first->frame + 14,
			    "\x02\x05\x07leaf\x04\x05\x07"
			    "eth2\x06\x02\x00\x78",
			    18);
	assert_int_equal(first->heard_ms, NOW_MS);
	assert_int_equal(first->hash, lldp_hash(first->frame + 14, first->id_len));
}

static void the_next_frame_of_a_neighbour_replaces_its_last_one(void **state) {
	(void)state;
	hear("leaf", "eth2", TTL_S, NOW_MS);
	hear("leaf", "eth2", 7, NOW_MS + 5);
	assert_int_equal(count(), 1);
	assert_int_equal(neighbours.list[0].heard_ms, NOW_MS + 5);
	assert_int_equal(neighbours.list[0].until_ms, NOW_MS + 5 + 7000);
}

static void another_chassis_or_port_is_another_neighbour(void **state) {
	(void)state;
	hear("leaf", "eth2", TTL_S, NOW_MS);
	hear("leaf", "eth3", TTL_S, NOW_MS);
	hear("leaf1", "eth2", TTL_S, NOW_MS);
	hear("leaf1e", "th2", TTL_S, NOW_MS); // the same letters, parted elsewhere
	assert_int_equal(count(), 4);
}

static void a_neighbour_is_forgotten_after_its_time(void **state) {
	(void)state;
	hear("leaf", "eth2", 7, NOW_MS);
	hear("spine", "eth2", 8, NOW_MS);
	neighbours_expire(&neighbours, NOW_MS + 6999);
	assert_int_equal(count(), 2);
	neighbours_expire(&neighbours, NOW_MS + 7000);
	assert_false(knows("leaf"));
	assert_true(knows("spine"));
}

static void a_time_of_0_removes_it_at_once(void **state) {
	(void)state;
	hear("leaf", "eth2", TTL_S, NOW_MS);
	hear("spine", "eth2", TTL_S, NOW_MS);
	assert_true(hear("leaf", "eth2", 0, NOW_MS + 1));
	assert_int_equal(count(), 1);
	assert_true(knows("spine"));
}

static void who_goes_away_before_he_came_is_nobody(void **state) {
	(void)state;
	assert_true(hear("leaf", "eth2", 0, NOW_MS));
	assert_int_equal(count(), 0);
}

static void of_a_flood_nobody_takes_the_place_of_another(void **state) {
	unsigned refused = 0;
	char name[16];

	(void)state;
	hear("leaf", "eth2", TTL_S, NOW_MS);
	for (unsigned i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "flood%u", i);
		refused += !hear(name, "eth2", TTL_S, NOW_MS);
	}
	assert_int_equal(refused, 10000 - (NEIGHBOURS_MAX - 1));
	assert_int_equal(count(), NEIGHBOURS_MAX);
	assert_true(knows("leaf"));
	assert_true(hear("leaf", "eth2", TTL_S, NOW_MS + 1));
	assert_true(hear("stranger", "eth2", 0, NOW_MS + 1)); // goes away, and needs no place
}

static void a_place_that_is_free_again_is_taken(void **state) {
	char name[16];

	(void)state;
	for (unsigned i = 0; i < NEIGHBOURS_MAX; i++) {
		snprintf(name, sizeof(name), "leaf%u", i);
		hear(name, "eth2", i == 5 ? 1 : TTL_S, NOW_MS);
	}
	assert_false(hear("spine", "eth2", TTL_S, NOW_MS));
	neighbours_expire(&neighbours, NOW_MS + 1000);
	assert_true(hear("spine", "eth2", TTL_S, NOW_MS + 1000));
	assert_true(knows("spine"));
	assert_int_equal(count(), NEIGHBOURS_MAX);
}

int main(void) {
	const struct CMUnitTest whole[] = {
		cmocka_unit_test_setup(a_frame_is_kept_as_it_came, empty),
		cmocka_unit_test_setup(the_next_frame_of_a_neighbour_replaces_its_last_one, empty),
		cmocka_unit_test_setup(another_chassis_or_port_is_another_neighbour, empty),
		cmocka_unit_test_setup(a_neighbour_is_forgotten_after_its_time, empty),
		cmocka_unit_test_setup(a_time_of_0_removes_it_at_once, empty),
		cmocka_unit_test_setup(who_goes_away_before_he_came_is_nobody, empty),
		cmocka_unit_test_setup(of_a_flood_nobody_takes_the_place_of_another, empty),
		cmocka_unit_test_setup(a_place_that_is_free_again_is_taken, empty),
	};

	return cmocka_run_group_tests(whole, NULL, NULL);
}

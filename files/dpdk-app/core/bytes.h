#pragma once

#include <stdint.h>

// Numbers in frames, whatever their alignment there.
static inline uint16_t be16(const uint8_t *at) {
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint16_t le16(const uint8_t *at) {
	return (uint16_t)(at[1] << 8 | at[0]);
}

static inline uint64_t le64(const uint8_t *at) {
	uint64_t number = 0;

	for (unsigned i = 0; i < sizeof(number); i++)
		number |= (uint64_t)at[i] << (8 * i);
	return number;
}

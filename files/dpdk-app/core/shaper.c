#include "core/shaper.h"

__extension__ typedef unsigned __int128 uint128;

uint64_t shaper_charge(struct shaper *shaper, uint64_t hz, uint64_t rate_bps, uint64_t burst_bits,
		       uint64_t bits, uint64_t now) {
	shaper_earn(shaper, hz, rate_bps, burst_bits, now);
	shaper->level -= (int128)bits * hz;
	if (shaper->level >= 0)
		return shaper->last;

	const uint128 debt = (uint128)-shaper->level;

	// Most debts fit 64 bits, whose division is several times as fast.
	if (debt <= UINT64_MAX - rate_bps)
		return shaper->last + ((uint64_t)debt + rate_bps - 1) / rate_bps;
	return shaper->last + (uint64_t)((debt + rate_bps - 1) / rate_bps);
}

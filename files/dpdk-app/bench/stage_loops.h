#pragma once

#include <stdint.h>

#include <rte_mbuf.h>

#include "bench/reference.h"
#include "core/match.h"
#include "datapath/rules.h"

// The stages of the data path over frames of 64 bytes (60 in a buffer) in bursts of 32, each with a
// loop of its own. Before its stages a loop prepares what a data core would have just then: its
// frames in the cache, each with the flow that is next in a random order over all rules.

enum {
	LOOP_VM = 1,
	LOOP_BURST = RULES_BURST,
	LOOP_FRAMES = 512, // a data core's cache of buffers
	LOOP_PACKETS = 1 << 17,
	LOOP_FRAME_LEN = 60,
	LOOP_RATE_BPS = 400000000, // of each rule: it conforms, for its burst is deep
};

#define LOOP_BURST_BITS (1LL << 50)

#define LOOPS(X)                                                                                   \
	X(EMPTY, "empty_loop")                                                                     \
	X(MATCH, "match")                                                                          \
	X(MATCH_SHAPE, "match_shape")                                                              \
	X(MATCH_SHAPE_TAG, "match_shape_tag")                                                      \
	X(EMPTY_FRAMES, "empty_loop_frames")                                                       \
	X(READ, "read")                                                                            \
	X(READ_MATCH_SHAPE_TAG, "read_match_shape_tag")                                            \
	X(REFERENCE_MATCH, "reference_match")                                                      \
	X(REFERENCE_MATCH_SHAPE, "reference_match_shape")                                          \
	X(REFERENCE_MATCH_SHAPE_TAG, "reference_match_shape_tag")

#define LOOP_ENUM(id, name) LOOP_##id,
enum loop { LOOPS(LOOP_ENUM) LOOP_COUNT };
#undef LOOP_ENUM

struct loop_flow {
	uint8_t destination_ip[4];
	uint16_t source_port; // host order
};

struct loop_input {
	struct rte_mbuf *frames[LOOP_FRAMES];
	uint32_t order[LOOP_PACKETS]; // flows
	struct loop_flow *flows;
	struct reference_table reference; // has the first flows
	uint64_t hz;
	uint64_t lost; // frames that a loop did not finish: none, or the figures are wrong
};

// The match of a flow, as a rule says it.
void loop_match(const struct loop_flow *flow, struct match *match);

// A frame of no flow yet.
void loop_frame(uint8_t frame[LOOP_FRAME_LEN]);

// Passes all packets through a loop. Returns the ticks that this took.
uint64_t loop_run(enum loop loop, struct loop_input *input);

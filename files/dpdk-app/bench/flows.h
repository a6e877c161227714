#pragma once

// What bench-generator sends: flow i is UDP from BENCH_SOURCE to BENCH_DESTINATION + i.

enum {
	BENCH_VM = 1,			// last byte of the sender's MAC
	BENCH_SOURCE = 0x0a000001,	// 10.0.0.1
	BENCH_DESTINATION = 0x0a010000, // 10.1.0.0
	BENCH_SOURCE_PORT = 1000,
	BENCH_DESTINATION_PORT = 2000,
};

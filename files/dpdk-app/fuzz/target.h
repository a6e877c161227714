#pragma once

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

// What libFuzzer calls with each input: data is exactly size bytes on the heap, so that the address
// sanitizer sees any byte read behind the end. A wrong result ends in assert().
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

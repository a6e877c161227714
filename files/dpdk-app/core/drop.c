#include "core/drop.h"

#define DROP_INFO(id, name, where) [DROP_##id] = {name, where},
const struct drop_info drop_info[DROP_COUNT] = {DROPS(DROP_INFO)};

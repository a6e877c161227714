#pragma once

#include "control/control.h"

// Writes statistics and rules to the log: a table for people, then one line of JSON for each VM and
// each rule, {"vm": ...} as stats.get has it, {"rule": ...} as rule.list has it with its counters.
void report_to_log(const struct control *control);

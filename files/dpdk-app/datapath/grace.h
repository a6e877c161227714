#pragma once

#include <stdbool.h>

// Grace periods: what was withdrawn from the data cores may be freed after grace_wait().

// Makes room for the data cores of this process. False: no memory.
bool grace_init(void);

// A data core says that it reads from now on, that it holds nothing right now, that it sleeps
// (and reads nothing until it is awake), and that it will not read any more.
void grace_join(void);
void grace_quiet(void);
void grace_asleep(void);
void grace_awake(void);
void grace_leave(void);

// Waits until no data core can hold what was withdrawn before this call. For any other thread.
void grace_wait(void);

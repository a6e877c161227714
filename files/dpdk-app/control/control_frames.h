#pragma once

#include "control/control.h"

// Serves the control frames that VM 0 has sent since the last call: each sets or clears the rule of
// one slot of a VM, and is answered once that is saved and in force, or with the reason why not.
void control_frames_serve(struct control *control);

#pragma once

#include <stdbool.h>

// Guards against the other end of a vhost-user socket, which may be a QEMU that its guest has taken
// over. It can spoil its own VM's connection only.

// For the socket at this path, before it is served: does not offer what is refused below. False:
// the library does not know the path.
bool vhost_messages_limit(const char *path);

// For a new connection, as the library's new_connection: refuses messages by which the other end
// could have any amount of memory reserved or any part of a file mapped. 0, or -1 on failure.
int vhost_messages_guard(int device);

#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "datapath/ports.h"

// Starts to serve (or to connect to) the socket of a port; port->device follows the guest's coming
// and going. The port has to stay until vhost_close(). False: why says the cause and the way out.
bool vhost_open(struct port *port, char *why, size_t why_size);

// Ends the connection. On return no data core uses the port's device any more.
void vhost_close(struct port *port);

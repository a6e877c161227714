"""Print the accelerator that runs guests on this machine, and a port that is free."""

import json
import socket

from ansible_collections.detnet.testbed.plugins.module_utils import _accelerator

with socket.create_server(("127.0.0.1", 0)) as server:
    port = server.getsockname()[1]
print(json.dumps({"accelerator": _accelerator.choose("auto"), "port": port}))

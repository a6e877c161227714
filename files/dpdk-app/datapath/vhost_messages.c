#include "datapath/vhost_messages.h"

#include <stddef.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_vhost.h>

// How a message begins (QEMU, docs/interop/vhost-user.rst).
struct message {
	uint32_t request;
	uint32_t flags;
};

enum { NEED_REPLY = 1 << 3 };

// The library obeys these whether they were negotiated or not; a guest's network needs none.
static const bool refused[] = {
	[22] = true, // IOTLB_MSG
	[28] = true, // POSTCOPY_ADVISE
	[29] = true, // POSTCOPY_LISTEN
	[30] = true, // POSTCOPY_END
	[31] = true, // GET_INFLIGHT_FD: fills as much memory as it names
	[32] = true, // SET_INFLIGHT_FD
};

static enum rte_vhost_msg_result look_at(int device, void *of) {
	struct message *message = of;

	(void)device;
	if (message->request >= RTE_DIM(refused) || !refused[message->request])
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	message->flags &= ~(uint32_t)NEED_REPLY; // an answer would keep the connection
	return RTE_VHOST_MSG_RESULT_ERR;
}

bool vhost_messages_limit(const char *path) {
	const uint64_t unwanted = 1ULL << VHOST_USER_PROTOCOL_F_PAGEFAULT |
				  1ULL << VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD;
	uint64_t offered;

	return rte_vhost_driver_get_protocol_features(path, &offered) == 0 &&
	       rte_vhost_driver_set_protocol_features(path, offered & ~unwanted) == 0;
}

int vhost_messages_guard(int device) {
	static const struct rte_vhost_user_extern_ops guard = {.pre_msg_handle = look_at};

	return rte_vhost_extern_callback_register(device, &guard, NULL);
}

#include "datapath/grace.h"

#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

static struct rte_rcu_qsbr *readers;

bool grace_init(void) {
	const size_t size = rte_rcu_qsbr_get_memsize(RTE_MAX_LCORE);

	readers = rte_zmalloc("readers", size, RTE_CACHE_LINE_SIZE);
	return readers != NULL && rte_rcu_qsbr_init(readers, RTE_MAX_LCORE) == 0;
}

void grace_join(void) {
	rte_rcu_qsbr_thread_register(readers, rte_lcore_id());
	rte_rcu_qsbr_thread_online(readers, rte_lcore_id());
}

void grace_quiet(void) {
	rte_rcu_qsbr_quiescent(readers, rte_lcore_id());
}

void grace_asleep(void) {
	rte_rcu_qsbr_thread_offline(readers, rte_lcore_id());
}

void grace_awake(void) {
	rte_rcu_qsbr_thread_online(readers, rte_lcore_id());
}

void grace_leave(void) {
	rte_rcu_qsbr_thread_offline(readers, rte_lcore_id());
	rte_rcu_qsbr_thread_unregister(readers, rte_lcore_id());
}

void grace_wait(void) {
	rte_rcu_qsbr_synchronize(readers, RTE_QSBR_THRID_INVALID);
}

#include "privilege.h"

#include <errno.h>
#include <linux/capability.h>
#include <pthread.h>
#include <semaphore.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	pthread_t thread;
	sem_t asked;
	void (*task)(void *);
	void *of;
} holder;

static void *hold(void *unused) {
	(void)unused;
	while (sem_wait(&holder.asked) != 0)
		; // interrupted by a signal
	holder.task(holder.of);
	return NULL;
}

// There is no glibc function; see capget(2).
static bool give_up(unsigned capability) {
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];
	const unsigned word = CAP_TO_INDEX(capability);

	if (syscall(SYS_capget, &header, sets) != 0)
		return false;
	sets[word].effective &= ~CAP_TO_MASK(capability);
	sets[word].permitted &= ~CAP_TO_MASK(capability);
	sets[word].inheritable &= ~CAP_TO_MASK(capability);
	return syscall(SYS_capset, &header, sets) == 0;
}

bool privilege_set_aside(void) {
	if (sem_init(&holder.asked, 0, 0) != 0)
		return false;
	errno = pthread_create(&holder.thread, NULL, hold, NULL);
	return errno == 0 && give_up(CAP_NET_ADMIN);
}

void privilege_use(void (*task)(void *), void *of) {
	holder.task = task;
	holder.of = of;
	sem_post(&holder.asked);
	pthread_join(holder.thread, NULL);
}

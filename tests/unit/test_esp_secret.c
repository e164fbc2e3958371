/* SPDX-License-Identifier: Apache-2.0 */
/* Memory for keys: aligned, zeroed, locked, wiped. */
#include "test.h"
#include "can_lock.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/secret.h"

enum { MANY = 3000 };

/* After the first eight octets, where a free object keeps its place in the list. */
static size_t dirty_octets(const uint8_t *object, size_t size)
{
	size_t dirty = 0;

	for (size_t i = sizeof(void *); i < size; i++)
		dirty += object[i] != 0;
	return dirty;
}

static void take_and_give(size_t size)
{
	struct nm_secret_pool *pool = nm_secret_pool_new(size);
	static uint8_t *objects[MANY];

	assert_non_null(pool);
	for (size_t i = 0; i < MANY; i++) {
		objects[i] = nm_secret_take(pool);
		assert_non_null(objects[i]);
		assert_int_equal((uintptr_t)objects[i] % 64, 0);
		assert_int_equal(dirty_octets(objects[i], size), 0);
		for (size_t j = 0; j < size && j < sizeof(void *); j++)
			assert_int_equal(objects[i][j], 0);
		memset(objects[i], (int)(i % 255 + 1), size);
	}
	/* They do not overlap. */
	for (size_t i = 0; i < MANY; i++)
		for (size_t j = 0; j < size; j++)
			assert_int_equal(objects[i][j], i % 255 + 1);
	for (size_t i = 0; i < MANY; i++) {
		nm_secret_give(pool, objects[i]);
		assert_int_equal(dirty_octets(objects[i], size), 0);
	}
	nm_secret_pool_free(pool);
}

static void test_sizes(void **state)
{
	static const size_t sizes[] = {1, 8, 63, 64, 65, 100, 128, 640, 1088};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++)
		take_and_give(sizes[i]);
}

/* Larger than what is locked at once. */
static void test_large_objects(void **state)
{
	static const size_t sizes[] = {65536, 65537, 200000};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct nm_secret_pool *pool = nm_secret_pool_new(sizes[i]);
		uint8_t *a = nm_secret_take(pool), *b = nm_secret_take(pool);

		assert_non_null(a);
		assert_non_null(b);
		memset(a, 1, sizes[i]);
		memset(b, 2, sizes[i]);
		assert_int_equal(a[0], 1);
		assert_int_equal(a[sizes[i] - 1], 1);
		nm_secret_give(pool, a);
		/* What was given back is used again, clean. */
		assert_ptr_equal(nm_secret_take(pool), a);
		assert_int_equal(a[0], 0);
		assert_int_equal(dirty_octets(a, sizes[i]), 0);
		nm_secret_pool_free(pool);
	}
}

static void test_nothing(void **state)
{
	struct nm_secret_pool *pool = nm_secret_pool_new(64);

	(void)state;
	nm_secret_give(pool, NULL);
	nm_secret_pool_free(pool);
	nm_secret_pool_free(NULL);
}

/* A flag of the kernel's about the memory at an address: " lo" is locked, " dd" not dumped. */
static bool has_flag(const void *at, const char *flag)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	char line[512];
	bool is_here = false, has_it = false;

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		uintptr_t from, to;

		if (sscanf(line, "%zx-%zx ", &from, &to) == 2)
			is_here = from <= (uintptr_t)at && (uintptr_t)at < to;
		if (is_here && strncmp(line, "VmFlags:", 8) == 0)
			has_it = strstr(line, flag) != NULL;
	}
	fclose(maps);
	return has_it;
}

/* An emulator may keep both to itself. */
static bool kernel_shows_flags(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool shows;

	assert_true(page != MAP_FAILED);
	shows = madvise(page, 4096, MADV_DONTDUMP) == 0 && has_flag(page, " dd");
	munmap(page, 4096);
	return shows;
}

static void test_locked(void **state)
{
	struct nm_secret_pool *pool;
	const void *object;

	(void)state;
	if (!kernel_shows_flags()) {
		print_message("skipped: /proc/self/smaps has no flags\n");
		skip();
	}
	pool = nm_secret_pool_new(64);
	assert_true(nm_secret_is_locked(pool));
	object = nm_secret_take(pool);
	assert_true(has_flag(object, " dd"));
	if (CAN_LOCK)
		assert_int_equal(nm_secret_is_locked(pool), has_flag(object, " lo"));
	nm_secret_pool_free(pool);
}

/* Somebody who may lock nothing. The exit status says what went wrong. */
static int run_unlocked(void)
{
	const struct rlimit none = {0, 0};
	struct nm_secret_pool *pool;
	uint8_t *object;

	if (setrlimit(RLIMIT_MEMLOCK, &none) != 0 || (geteuid() == 0 && setuid(65534) != 0))
		return 2;
	pool = nm_secret_pool_new(64);
	object = nm_secret_take(pool);
	if (!object || dirty_octets(object, 64) > 0)
		return 3;
	memset(object, 1, 64);
	nm_secret_give(pool, object);
	if (dirty_octets(object, 64) > 0)
		return 4;
	if (CAN_LOCK && nm_secret_is_locked(pool))
		return 5;
	nm_secret_pool_free(pool);
	return 0;
}

/* It works all the same, and says so. */
static void test_unlocked(void **state)
{
	pid_t child = fork();
	int status;

	(void)state;
	assert_true(child >= 0);
	if (child == 0)
		_exit(run_unlocked());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_large_objects),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_locked),
		cmocka_unit_test(test_unlocked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

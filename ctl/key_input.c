/* SPDX-License-Identifier: Apache-2.0 */
/* Keys on their way from a file or a person to natmuxd; never by way of the command line. */
#include "ctl/key_input.h"

#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/prctl.h>
#include <termios.h>
#include <unistd.h>
#include "daemon/config/key_file.h"

enum { BASE64_SIZE = (NM_KEY_FILE_MAX + 2) / 3 * 4 + 1 };

/* What would end or stop us while the terminal shows nothing, for good. */
static const int signals[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGTSTP};

enum { SIGNALS = sizeof(signals) / sizeof(signals[0]) };

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
	caught = number;
}

/* One line, for a terminal gives no more at once; a signal ends it. */
static ssize_t read_line(uint8_t *bytes)
{
	/* Without SA_RESTART. */
	const struct sigaction catch = {.sa_handler = on_signal};
	struct sigaction before[SIGNALS];
	ssize_t n;

	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &catch, &before[i]);
	n = caught ? -1 : read(STDIN_FILENO, bytes, NM_KEY_FILE_MAX);
	for (size_t i = 0; i < SIGNALS; i++)
		sigaction(signals[i], &before[i], NULL);
	return n;
}

/* What a person types is not shown; the newline that ends it would not be either. */
static int read_terminal(uint8_t *bytes, size_t *len, char *message, size_t size)
{
	struct termios before, silent;
	ssize_t n;

	fputs("key (hexadecimal or base64): ", stderr);
	tcgetattr(STDIN_FILENO, &before);
	silent = before;
	silent.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
	n = read_line(bytes);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
	fputc('\n', stderr);
	if (caught)
		raise(caught);
	if (n <= 0) {
		snprintf(message, size, "nothing was typed");
		return -1;
	}
	*len = (size_t)n;
	return 0;
}

static int read_bytes(const char *path, uint8_t *bytes, size_t *len, char *message, size_t size)
{
	if (strcmp(path, "-") != 0)
		return nm_key_file_read(path, bytes, len, message, size);
	if (isatty(STDIN_FILENO))
		return read_terminal(bytes, len, message, size);
	return nm_key_file_read_fd(STDIN_FILENO, bytes, len, message, size);
}

static bool is_text(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((bytes[i] < 0x20 && bytes[i] != '\n' && bytes[i] != '\r' && bytes[i] != '\t') ||
			bytes[i] > 0x7e)
			return false;
	return true;
}

static json_t *key_json(const uint8_t *bytes, size_t len)
{
	char base64[BASE64_SIZE];
	json_t *json;

	if (is_text(bytes, len))
		return json_stringn((const char *)bytes, len);
	sodium_bin2base64(base64, sizeof(base64), bytes, len, sodium_base64_VARIANT_ORIGINAL);
	json = json_string(base64);
	sodium_memzero(base64, sizeof(base64));
	return json;
}

enum nm_ctl_exit nm_key_input(const char *path, json_t **key)
{
	uint8_t bytes[NM_KEY_FILE_MAX];
	char message[200] = "";
	size_t len = 0;
	int err;

	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	err = read_bytes(path, bytes, &len, message, sizeof(message));
	if (err < 0)
		nm_ctl_complain("key file %s: %s", path, message);
	else
		*key = key_json(bytes, len);
	sodium_memzero(bytes, sizeof(bytes));
	return err < 0 ? NM_CTL_REFUSED : NM_CTL_OK;
}

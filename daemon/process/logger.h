/* SPDX-License-Identifier: Apache-2.0 */
/* natmuxd's log: one line per message on standard error, in the form that its reader wants. */
#ifndef NM_LOGGER_H
#define NM_LOGGER_H

#include <natmux/log.h>

/*
 * A log that writes what is at or above `*level`, which is borrowed and may change at any time: the
 * parts of the daemon keep copies of the log. Under systemd (JOURNAL_STREAM is set) lines begin with the level as <3> to
 * <7>, sd-daemon(3); else with the time and the level in words.
 */
struct natmux_log nm_logger_init(const enum natmux_log_level *level);

#endif

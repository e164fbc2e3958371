/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the kernel here can do ESP by itself. */
#ifndef NM_KERNEL_ESP_H
#define NM_KERNEL_ESP_H

/*
 * Asks it, which changes nothing. NULL: it can; or why not, "this kernel has no ESP
 * (CONFIG_INET_ESP); use esp = user" among others. Valid until the next call.
 */
const char *nm_kernel_esp_missing(void);

#endif

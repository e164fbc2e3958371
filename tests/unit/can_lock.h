/* SPDX-License-Identifier: Apache-2.0 */
/* Whether mlock() does what it says in this build. */
#ifndef CAN_LOCK_H
#define CAN_LOCK_H

/* AddressSanitizer makes mlock() do nothing and say that it did. */
#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
enum { CAN_LOCK = 0 };
#else
enum { CAN_LOCK = 1 };
#endif

#endif

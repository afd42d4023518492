/* SPDX-License-Identifier: MIT */
/* Memory that is refused: libevc's allocations come by here (-Wl,--wrap). */
#ifndef EVC_TESTS_FUZZ_REFUSE_H
#define EVC_TESTS_FUZZ_REFUSE_H

#include <stdbool.h>

/* The n-th allocation from now fails, once; 0: none does. */
void refuse(unsigned nth);
/* Has it failed? No more will. */
bool refused(void);

#endif /* EVC_TESTS_FUZZ_REFUSE_H */

#include "core/stack/counters.h"

#define COUNTER_INFO(counter, what) [CNT_##counter] = {#counter, what},
const struct counter_info counter_info[CNT_COUNT] = {STACK_COUNTERS(COUNTER_INFO)};

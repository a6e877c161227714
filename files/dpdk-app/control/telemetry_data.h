#pragma once

#include <stdint.h>

#include <rte_telemetry.h>
#include <rte_version.h>

#if RTE_VERSION < RTE_VERSION_NUM(23, 3, 0, 0)
#define RTE_TEL_UINT_VAL	    RTE_TEL_U64_VAL
#define rte_tel_data_add_dict_uint  rte_tel_data_add_dict_u64
#define rte_tel_data_add_array_uint rte_tel_data_add_array_u64
#endif

// Fills *data with some rules of a VM, from the first-th on: a dictionary of lists, one for each
// field and counter, because the library nests no deeper. 0, or a negative errno.
int telemetry_list_rules(uint16_t vm, unsigned long first, struct rte_tel_data *data);

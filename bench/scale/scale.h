/* SPDX-License-Identifier: MIT */
/* One round of each part; each makes its own engine and leaves nothing. */
#ifndef EVC_BENCH_SCALE_SCALE_H
#define EVC_BENCH_SCALE_SCALE_H

/* ports.c: all the ports that a domain can have, and the cost by their number */
void measure_ports(void);
void measure_saved(void);
void measure_counted(void);
void measure_cycle(void);
void measure_linked(void);
void measure_queue(void);

/* domains.c: many domains, many vCPUs */
void measure_domains(void);
void measure_vcpus(void);

/* others.c: what others see while one domain does its worst */
void measure_others(void);

#endif /* EVC_BENCH_SCALE_SCALE_H */

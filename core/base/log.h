/*
 * One line to the person in front of the screen: "teecee: what happened, to what, what to do\n",
 * written to stderr with one write(2), never to stdout. Only for faults of the configuration or the
 * machine; what a packet triggers increments a counter instead.
 */
#ifndef TEECEE_BASE_LOG_H
#define TEECEE_BASE_LOG_H

void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

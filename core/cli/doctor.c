/*
 * teecee doctor: looks at everything that must be so before a program under the library reaches the
 * network, tries what can be tried without sending a packet, and says of each what to do about it.
 * Nothing is changed: promiscuous mode, for one, goes with the descriptor that asked for it.
 */
#include "core/cli/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/cli/cli.h"

enum { LINE_LEN = 512 };

static const char *const verdict_name[] = {[FINE] = "ok", [WARNING] = "warn", [FAULT] = "fail"};

static const struct check {
	const char *name;
	void (*run)(struct doctor *d);
} checks[] = {
	{"library", check_library},
	{"engine", check_engine},
	{"interface", check_interface},
	{"privilege", check_privilege},
	{"wifi", check_wifi},
	{"promiscuous", check_promiscuous},
	{"address", check_address},
	{"forwarding", check_forwarding},
	{"kernel", check_kernel},
	{"namespaces", check_namespaces},
	{"descriptors", check_descriptors},
	{"names", check_names},
};

void doctor_say(struct doctor *d, enum verdict v, const char *advice, const char *format, ...)
{
	char line[LINE_LEN];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof line, format, args);
	va_end(args);
	d->warnings += v == WARNING;
	d->faults += v == FAULT;
	if (!d->json) {
		printf("%-5s %-12s %s\n", verdict_name[v], d->check, line);
		if (advice && *advice)
			printf("%18s -> %s\n", "", advice);
		return;
	}
	json_open(&d->j, NULL, '{');
	json_text(&d->j, "check", d->check);
	json_text(&d->j, "verdict", verdict_name[v]);
	json_text(&d->j, "found", line);
	json_text(&d->j, "advice", advice ? advice : "");
	json_close(&d->j, '}');
}

static const struct cli_option own[] = {
	{"json", 0, NULL, "a list of objects, one for each line",
		.flag = offsetof(struct doctor, json)},
};

static const struct cli_spec spec = {
	.name = "doctor",
	.usage = "[OPTIONS]",
	.about = "Checks what the library needs here, with these settings, and says what to do "
		 "about "
		 "what is missing.\nSends nothing and changes nothing.\n",
	.settings = true,
	.any_iface = true,
	.own = own,
	.nown = ARRAY_LEN(own),
	.end = "The exit status is 0 when nothing failed (warnings are none), 1 when something "
	       "did.\n",
};

int cli_doctor(int argc, char **argv)
{
	struct doctor d = {.needs_raw = true};
	struct cli_options o;

	if (!cli_options(&o, &spec, &d, argc, argv))
		return o.status;
	d.settings = o.settings;
	if (d.json)
		json_open(&d.j, NULL, '[');
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		d.check = checks[i].name;
		checks[i].run(&d);
	}
	if (d.json) {
		json_close(&d.j, ']');
		printf("\n");
	} else {
		printf("\n%u failed, %u warnings\n", d.faults, d.warnings);
	}
	return fflush(stdout) ? EXIT_OURS : d.faults > 0;
}

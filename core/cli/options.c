/*
 * The options of every subcommand, taken and told from one table each: a command's own, and the
 * settings' table of variables, each of which has an option of the same name.
 */
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/base/log.h"
#include "core/cli/cli.h"

/* Variables whose option has a letter as well. */
static const struct {
	const char *variable;
	char letter;
} letters[] = {{"TEECEE_IFACE", 'i'}, {"TEECEE_PCAP", 'p'}};

/* What getopt returns for a long option: OWN + i, or VARIABLE + i. */
enum {
	OWN_MAX = 16,
	OWN = 256,
	VARIABLE = OWN + OWN_MAX,
	TABLE_LEN = OWN_MAX + SETTINGS_VARIABLES + 3
};

struct table {
	struct option option[TABLE_LEN];
	char name[SETTINGS_VARIABLES][CLI_NAME_LEN];
	char letters[3 * TABLE_LEN];
};

static char letter_of(const char *variable)
{
	for (size_t i = 0; i < ARRAY_LEN(letters); i++)
		if (strcmp(letters[i].variable, variable) == 0)
			return letters[i].letter;
	return 0;
}

void cli_option_of(const char *variable, char out[static CLI_NAME_LEN])
{
	const char *from = variable + strlen("TEECEE_");
	size_t n = 0;

	for (; n < CLI_NAME_LEN - 1 && from[n]; n++)
		out[n] = from[n] == '_' ? '-' : (char)tolower((unsigned char)from[n]);
	out[n] = '\0';
}

static void add_letter(struct table *t, char letter, bool has_value)
{
	size_t n = strlen(t->letters);

	if (letter)
		snprintf(t->letters + n, sizeof t->letters - n, "%c%s", letter,
			has_value ? ":" : "");
}

static void fill(struct table *t, const struct cli_spec *spec)
{
	size_t n = 0;

	memset(t, 0, sizeof *t);
	snprintf(t->letters, sizeof t->letters, "+:h%s", spec->settings ? "v" : "");
	for (size_t i = 0; i < spec->nown && i < OWN_MAX; i++) {
		const struct cli_option *o = &spec->own[i];
		t->option[n++] = (struct option){
			o->name, o->value ? required_argument : no_argument, NULL, (int)(OWN + i)};
		add_letter(t, o->letter, o->value);
	}
	for (unsigned i = 0; spec->settings && i < SETTINGS_VARIABLES; i++) {
		const char *name = settings_variable(i)->name;
		cli_option_of(name, t->name[i]);
		t->option[n++] =
			(struct option){t->name[i], required_argument, NULL, (int)(VARIABLE + i)};
		add_letter(t, letter_of(name), true);
	}
	if (spec->settings)
		t->option[n++] = (struct option){"verbose", no_argument, NULL, 'v'};
	t->option[n] = (struct option){"help", no_argument, NULL, 'h'};
}

static const struct cli_option *find_own(const struct cli_spec *spec, int c)
{
	for (size_t i = 0; i < spec->nown; i++)
		if (c == (int)(OWN + i) || (spec->own[i].letter && c == spec->own[i].letter))
			return &spec->own[i];
	return NULL;
}

static const struct settings_variable *find_variable(const struct cli_spec *spec, int c)
{
	for (unsigned i = 0; spec->settings && i < SETTINGS_VARIABLES; i++) {
		const struct settings_variable *v = settings_variable(i);
		if (c == (int)(VARIABLE + i) || (c < OWN && c == letter_of(v->name)))
			return v;
	}
	return NULL;
}

static bool take_own(const struct cli_spec *spec, const struct cli_option *option, void *ctx)
{
	if (!option->value) {
		*(bool *)((char *)ctx + option->flag) = true;
		return true;
	}
	size_t at = option->take(ctx, optarg);
	if (at)
		log_line("%s: --%s=%.64s: position %zu, \"%.32s\": should be %s", spec->name,
			option->name, optarg, at, optarg + at - 1, option->expected);
	return at == 0;
}

/* One option found by getopt; false: a line has said what is wrong with it. */
static bool take(
	struct cli_options *o, const struct cli_spec *spec, void *ctx, int c, const char *word)
{
	const struct cli_option *own = find_own(spec, c);
	const struct settings_variable *variable = own ? NULL : find_variable(spec, c);

	if (own)
		return take_own(spec, own, ctx);
	if (c == 'v')
		o->verbose = true;
	else if (!variable)
		log_line("%s: %s is not an option, or its value is missing (teecee %s --help)",
			spec->name, word, spec->name);
	else if (setenv(variable->name, optarg, 1) < 0)
		log_line("%s", strerror(errno));
	return c == 'v' || variable;
}

static void print_option(char letter, const char *name, const char *value, const char *text)
{
	char left[64];

	snprintf(left, sizeof left, "%c%c%s --%s %s", letter ? '-' : ' ', letter ? letter : ' ',
		letter ? "," : " ", name, value ? value : "");
	printf("  %-27s %s\n", left, text);
}

static int help(const struct cli_spec *spec)
{
	char name[CLI_NAME_LEN];

	printf("usage: teecee %s %s\n\n%s\n", spec->name, spec->usage, spec->about);
	if (spec->more)
		spec->more();
	for (size_t i = 0; i < spec->nown; i++)
		print_option(spec->own[i].letter, spec->own[i].name, spec->own[i].value,
			spec->own[i].text);
	for (unsigned i = 0; spec->settings && i < SETTINGS_VARIABLES; i++) {
		const struct settings_variable *v = settings_variable(i);
		cli_option_of(v->name, name);
		print_option(letter_of(v->name), name, v->value, v->text);
	}
	if (spec->settings)
		print_option('v', "verbose", NULL, "say what is used");
	print_option('h', "help", NULL, "this text");
	printf("\n%s", spec->end);
	return fflush(stdout) ? EXIT_OURS : 0;
}

static bool load(struct cli_options *o, const struct cli_spec *spec)
{
	char error[SETTINGS_ERROR_LEN];

	if (settings_load(&o->settings, environ, error) == 0 &&
		(spec->any_iface || settings_resolve(&o->settings, error) == 0))
		return true;
	log_line("%s", error);
	return false;
}

bool cli_options(
	struct cli_options *o, const struct cli_spec *spec, void *ctx, int argc, char **argv)
{
	struct table table;
	int c, at;

	*o = (struct cli_options){.status = EXIT_OURS};
	fill(&table, spec);
	opterr = 0;
	optind = 1;
	while (at = optind, (c = getopt_long(argc, argv, table.letters, table.option, NULL)) >= 0) {
		if (c == 'h') {
			o->status = help(spec);
			return false;
		}
		if (!take(o, spec, ctx, c, argv[at]))
			return false;
	}
	o->first = optind;
	if (!spec->words && o->first < argc) {
		log_line("%s: %s: only options are expected (teecee %s --help)", spec->name,
			argv[o->first], spec->name);
		return false;
	}
	return !spec->settings || load(o, spec);
}

size_t cli_number(
	const char *text, unsigned long long min, unsigned long long max, unsigned long long *out)
{
	size_t digits = strspn(text, "0123456789");

	if (digits == 0 || text[digits])
		return digits + 1;
	errno = 0;
	unsigned long long v = strtoull(text, NULL, 10);
	if (errno || v < min || v > max)
		return 1;
	*out = v;
	return 0;
}

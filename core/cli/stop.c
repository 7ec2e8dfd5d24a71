#include <errno.h>
#include <string.h>

#include "core/base/log.h"
#include "core/cli/cli.h"
#include "core/cli/dial.h"

static const struct cli_spec spec = {
	.name = "stop",
	.usage = "[OPTIONS]",
	.about = "Ends the engine of an address now. Connections that are left are reset.\n",
	.settings = true,
	.end = "The exit status is 0 when it has ended, 1 when there was none.\n",
};

int cli_stop(int argc, char **argv)
{
	struct cli_options o;

	if (!cli_options(&o, &spec, NULL, argc, argv))
		return o.status;
	int err = dial_stop(&o.settings);
	if (err == -ECONNREFUSED)
		log_line("no engine runs for %s on %s", o.settings.ip_spec, o.settings.iface);
	else if (err == -ETIMEDOUT)
		log_line("the engine for %s on %s does not end", o.settings.ip_spec,
			o.settings.iface);
	else if (err)
		log_line("the engine for %s on %s cannot be told: %s", o.settings.ip_spec,
			o.settings.iface, strerror(-err));
	else if (o.verbose)
		log_line("the engine for %s on %s has ended", o.settings.ip_spec, o.settings.iface);
	return err == -ECONNREFUSED ? 1 : err ? EXIT_OURS : 0;
}

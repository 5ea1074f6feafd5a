/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `vethwall run`: settings from the file, then from the command line, then the agent. */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "agent/agent.h"
#include "cli/cmds.h"
#include "vethwall/cleanup.h"
#include "vethwall/codec.h"
#include "vethwall/log.h"

#define CONFIG VW_SYSCONFDIR "/vethwall.yaml"

static const char help[] =
	"Usage: vethwall run [OPTIONS]\n"
	"The agent, in the foreground: watches the container runtime, puts a wall on every "
	"container's\n"
	"veth, and records denied flows. Prints one line 'vethwall: ready' when all that it found "
	"is\n"
	"enforced. SIGHUP reads the policies again; SIGTERM ends it and leaves everything "
	"enforced.\n\n"
	"  --config FILE     settings (" CONFIG ", if it is there)\n"
	"  --runtime R       docker[:SOCKET] (/var/run/docker.sock) or static:FILE\n"
	"  --policies DIR    policy files (/etc/vethwall/policies)\n"
	"  --run-dir DIR     lock and control socket (/run/vethwall)\n"
	"  --state-dir DIR   /var/lib/vethwall; sets of policies that were in force\n"
	"  --log-dir DIR     denied flows (/var/log/vethwall)\n"
	"  --audit           only watch: nothing is refused by policy, what would be is recorded\n"
	"  --teardown        remove all that is enforced, on purpose, and end (vethwall "
	"uninstall)\n"
	"  --debug           say more\n"
	"  -h, --help        this text\n\n"
	"Exit: 0 stopped, 2 could not start.\n\n"
	"Example:\n"
	"  vethwall run --runtime docker:/run/docker.sock --policies ./policies\n";

static const char uninstall_help[] =
	"Usage: vethwall uninstall [--config FILE] [--run-dir DIR]\n"
	"Removes the walls and the guard (tables 'netdev vethwall' and 'bridge vethwall'): nothing "
	"is\n"
	"enforced after it. No agent may run; one that is only stopped leaves everything enforced. "
	"Logs,\n"
	"policies and their history stay where they are.\n\n"
	"  --config FILE   settings (" CONFIG ", if it is there)\n"
	"  --run-dir DIR   the agent's folder (/run/vethwall)\n"
	"  -h, --help      this text\n\n"
	"Exit: 0 removed, 2 an agent runs, or trouble.\n\n"
	"Example:\n"
	"  systemctl disable --now vethwall && vethwall uninstall\n";

struct args {
	const char *config, *runtime, *policies, *run_dir, *state_dir, *log_dir;
	bool audit, teardown, help;
};

static int parse(int argc, char **argv, struct args *a)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'},
		{"runtime", required_argument, NULL, 'r'},
		{"policies", required_argument, NULL, 'p'},
		{"run-dir", required_argument, NULL, 'R'},
		{"state-dir", required_argument, NULL, 'S'},
		{"log-dir", required_argument, NULL, 'L'},
		{"audit", no_argument, NULL, 'a'},
		{"teardown", no_argument, NULL, 't'},
		{"debug", no_argument, NULL, 'd'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int o;

	optind = 0;
	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (o) {
		case 'c':
			a->config = optarg;
			break;
		case 'r':
			a->runtime = optarg;
			break;
		case 'p':
			a->policies = optarg;
			break;
		case 'R':
			a->run_dir = optarg;
			break;
		case 'S':
			a->state_dir = optarg;
			break;
		case 'L':
			a->log_dir = optarg;
			break;
		case 'a':
			a->audit = true;
			break;
		case 't':
			a->teardown = true;
			break;
		case 'd':
			vw_log_init(VW_LOG_DEBUG);
			break;
		case 'h':
			a->help = true;
			break;
		default:
			return -EINVAL;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "vethwall %s: unexpected argument '%s'\n", argv[0], argv[optind]);
		return -EINVAL;
	}
	return 0;
}

/* The default file may be missing, one that was named may not. */
static int read_config(const char *named, struct vw_settings *s, struct vw_diag *d)
{
	const char *path = named ? named : CONFIG;
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = vw_file_read(path, VW_TEXT_MAX, &text, &len);

	if (r == -ENOENT && !named)
		return 0;
	if (r < 0) {
		vw_error(d, NULL, "%s: %s", path, strerror(-r));
		return r;
	}
	return vw_settings_parse(text, len, path, s, d);
}

static int override(char **setting, const char *value)
{
	char *copy;

	if (!value)
		return 0;
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*setting);
	*setting = copy;
	return 0;
}

static int settings(const struct args *a, struct vw_settings *s, struct vw_diag *d)
{
	int r = vw_settings_default(s);

	if (!r)
		r = read_config(a->config, s, d);
	s->audit |= a->audit;
	if (!r)
		r = override(&s->runtime, a->runtime);
	if (!r)
		r = override(&s->policies, a->policies);
	if (!r)
		r = override(&s->run_dir, a->run_dir);
	if (!r)
		r = override(&s->state_dir, a->state_dir);
	if (!r)
		r = override(&s->log_dir, a->log_dir);
	return r;
}

static int run(int argc, char **argv, const char *text, bool teardown)
{
	_cleanup_(vw_settings_done) struct vw_settings s = {};
	_cleanup_(vw_diag_done) struct vw_diag d = {};
	struct args a = {.teardown = teardown};
	int r;

	if (parse(argc, argv, &a) < 0)
		return VW_EXIT_TROUBLE;
	if (a.help) {
		fputs(text, stdout);
		return VW_EXIT_OK;
	}
	r = settings(&a, &s, &d);
	if (r < 0) {
		if (!d.errors)
			vw_error(&d, NULL, "%s", strerror(-r));
		vw_diag_print(&d, stderr, isatty(STDERR_FILENO));
		return VW_EXIT_TROUBLE;
	}
	vw_diag_print(&d, stderr, isatty(STDERR_FILENO));
	return a.teardown ? vw_agent_teardown(&s) : vw_agent_run(&s);
}

int vw_cmd_run(int argc, char **argv)
{
	return run(argc, argv, help, false);
}

int vw_cmd_uninstall(int argc, char **argv)
{
	return run(argc, argv, uninstall_help, true);
}

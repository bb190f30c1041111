/* SPDX-License-Identifier: Apache-2.0 */
/* A row a runner: which options take a value, which name what is run, which say that nothing is. */
#include "correlate/runner_table.h"

/* Sources: the manual page or --help text of each program. */
const struct runner runner_table[] = {
	{
		.names = " java ",
		.values = " -cp -classpath --class-path -p --module-path --upgrade-module-path"
			  " --add-modules --limit-modules --add-exports --add-opens --add-reads"
			  " --patch-module --source --describe-module -d ",
		.stops = " -version --version -help --help -h -? ",
		.naming = NAMED_JAVA,
	},
	{
		.names = " python pypy ",
		.flags = CLUSTERS,
		.values = " -W -X --check-hash-based-pycs ",
		.targets = " -m ",
		.stops = " -c -V -h --version --help ",
		.naming = NAMED_FILE,
	},
	{
		.names = " gunicorn uvicorn hypercorn daphne granian waitress-serve ",
		.flags = APPLICATIONS,
		.values =
			" -b --bind -w --workers -k --worker-class -c --config -t --timeout --threads"
			" --log-level --log-file --log-config --access-logfile --error-logfile"
			" --access-logformat --name -n --pid -p --port --host --chdir --user -u --group -g"
			" --umask --backlog --keep-alive --max-requests --max-requests-jitter"
			" --graceful-timeout --worker-connections --worker-tmp-dir --certfile --keyfile"
			" --forwarded-allow-ips --proxy-allow-from --env -e --paste --pythonpath --uds"
			" --fd --reload-dir --reload-include --reload-exclude --loop --http --ws"
			" --lifespan --interface --env-file --root-path --app-dir --header"
			" --limit-concurrency --limit-max-requests --timeout-keep-alive"
			" --timeout-graceful-shutdown --ssl-keyfile --ssl-certfile --ssl-ca-certs"
			" --ssl-version --ssl-ciphers --listen --unix-socket ",
		.naming = NAMED_APPLICATION,
	},
	{
		.names = " uwsgi uwsgi-core ",
		.flags = TARGETS_ONLY,
		.targets = " --module --wsgi -w --wsgi-file --file ",
		.naming = NAMED_APPLICATION,
	},
	{
		.names = " celery flask ",
		.flags = TARGETS_ONLY,
		.targets = " -A --app ",
		.naming = NAMED_APPLICATION,
	},
	{
		.names = " streamlit fastapi ",
		.words = " run dev ",
		.values = " --host --port --app -e --entrypoint ",
		.naming = NAMED_FILE,
	},
	{
		.names = " node nodejs ",
		.values = " -r --require --import --loader --experimental-loader -C --conditions"
			  " --watch-path --env-file --title --input-type --openssl-config"
			  " --diagnostic-dir --redirect-warnings --disable-warning ",
		.stops = " -e --eval -p --print -pe -v --version -h --help --run ",
		.words = " inspect ",
		.naming = NAMED_FILE,
	},
	{
		.names = " deno ",
		.values = " -c --config --import-map --lock --cert --location -L --log-level --port"
			  " --host --ext --env-file ",
		.stops = " eval task repl test fmt lint -V --version -h --help ",
		.words = " run serve ",
		.naming = NAMED_FILE,
	},
	{
		.names = " bun ",
		.values =
			" -r --preload -c --config --cwd --port --env-file -d --define -l --loader ",
		.stops = " -e --eval -p --print install add remove test build --version ",
		.words = " run x exec ",
		.naming = NAMED_PACKAGE,
	},
	{
		.names = " ts-node ts-node-esm ts-node-dev tsx babel-node ",
		.values =
			" -P --project -r --require -O --compiler-options --tsconfig --import --cwd ",
		.stops = " -e --eval -p --print ",
		.words = " watch ",
		.naming = NAMED_FILE,
	},
	{
		.names = " npx npx-cli bunx pnpx ",
		.values = " -p --package --registry -w --workspace ",
		.stops = " -c --call ",
		.naming = NAMED_PACKAGE,
	},
	{
		.names = " npm npm-cli ",
		.values = " -p --package --prefix --registry -w --workspace ",
		.stops = " run run-script start test install ci -c --call ",
		.words = " exec x ",
		.naming = NAMED_PACKAGE,
	},
	{
		.names = " ruby jruby truffleruby ",
		.flags = CLUSTERS,
		.values = " -I -r -C -E --encoding --external-encoding --internal-encoding ",
		.stops = " -e --version ",
		.attached = "xKTWF0",
		.naming = NAMED_FILE,
	},
	{
		.names = " bundle bundler ",
		.values = " --gemfile ",
		.words = " exec ",
		.naming = NAMED_FILE,
	},
	{
		.names = " php ",
		.values = " -S -t -c -d -z -B -R -E -F ",
		.targets = " -f ",
		.stops = " -r -a -m -i -v ",
		.naming = NAMED_FILE,
	},
	{
		.names = " perl ",
		.flags = CLUSTERS,
		.values = " -I ",
		.stops = " -e -E -v -V ",
		.attached = "MmilxFdDC0",
		.naming = NAMED_FILE,
	},
	{
		.names = " sh bash dash ash zsh ksh mksh rbash ",
		.flags = CLUSTERS,
		.values = " -o -O --rcfile --init-file ",
		.stops = " -c -s --version ",
		.naming = NAMED_FILE,
	},
	{
		.names = " dotnet ",
		.values = " --depsfile --runtimeconfig --additionalprobingpath --additional-deps"
			  " --fx-version --roll-forward ",
		.stops = " run build test watch publish restore new tool msbuild --info --version ",
		.words = " exec ",
		.naming = NAMED_FILE,
	},
	{ .names = " mono mono-sgen ", .values = " --config --runtime ", .naming = NAMED_FILE },
	{ .names = " lua luajit ", .values = " -l ", .stops = " -e ", .naming = NAMED_FILE },
	{ .names = " Rscript ", .stops = " -e ", .naming = NAMED_FILE },
	{
		.names = " beam.smp beam ",
		.flags = TARGETS_ONLY,
		.targets = " -name -sname --name --sname ",
		.naming = NAMED_PACKAGE,
	},
};
const size_t runner_table_length = sizeof(runner_table) / sizeof(runner_table[0]);

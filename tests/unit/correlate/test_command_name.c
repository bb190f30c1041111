/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines of interpreters and launchers, as people type them and as /proc shows them. */
#include "correlate/command_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Arguments are separated by | here; name NULL: nothing is found. */
struct sample {
	const char *program;
	const char *args;
	const char *name;
};

static const struct sample samples[] = {
	{ "/usr/bin/java", "java|-jar|shop.jar", "shop" },
	{ "/usr/bin/java", "java|-Xmx1g|-Dx=y|-jar|/srv/shop-1.2.3-SNAPSHOT.jar|--port|80",
	  "shop" },
	{ "/usr/bin/java", "java|-jar|-Xmx1g|log4j-2-app.jar", "log4j" },
	{ "/usr/bin/java", "java|-jar|md5-tool-2.jar", "md5-tool" },
	{ "/usr/bin/java", "java|-jar|orders-v2.1-all.jar", "orders" },
	{ "/usr/bin/java", "java|-jar|big-jar-with-dependencies.jar", "big" },
	{ "/usr/bin/java", "java|-jar|legacy.war", "legacy" },
	{ "/usr/bin/java", "java|-cp|a.jar:b.jar|com.acme.Orders|x", "Orders" },
	{ "/usr/bin/java",
	  "java|-classpath|lib/*|--add-opens|java.base/java.lang=ALL|com.acme.Orders", "Orders" },
	{ "/usr/bin/java", "java|--add-opens=java.base/java.lang=ALL|-m|shop.web/com.acme.Web",
	  "Web" },
	{ "/usr/bin/java", "java|@options.txt|Orders.java", "Orders" },
	{ "/usr/bin/java", "java|-version", NULL },
	{ "/usr/bin/java", "java", NULL },
	{ "/usr/lib/jvm/java", "shop|-jar|x.jar", "x" },
	{ "/usr/bin/python3.11", "python3|app.py", "app" },
	{ "/usr/bin/python3.11", "/usr/bin/python3.11|-u|/srv/shop/app.py|--port|80", "app" },
	{ "/usr/bin/python3", "python3|-m|http.server|8000", "http.server" },
	{ "/usr/bin/python3", "python3|-um|http.server", "http.server" },
	{ "/usr/bin/python3", "python3|-mhttp.server", "http.server" },
	{ "/usr/bin/python3", "python3|-W|ignore|-X|dev|app.py", "app" },
	{ "/usr/bin/python3", "python3|-Wignore|app.py", "app" },
	{ "/usr/bin/python3", "python3|-c|import x|app.py", NULL },
	{ "/usr/bin/python3", "python3|-", NULL },
	{ "/usr/bin/python3", "python3", NULL },
	{ "/usr/bin/python3", "python3|/opt/shop/__main__.py", "shop" },
	{ "/usr/bin/python3", "python3|__main__.py", "__main__" },
	{ "/usr/bin/python3", "python3|-m|shop.__main__", "shop" },
	{ "/usr/bin/python3", "python3|/opt/shop/", "shop" },
	{ "/opt/app/app.py", "/usr/bin/python3|/opt/app/app.py", "app" },
	{ "/usr/bin/pypy3", "pypy3|tool.pyz", "tool" },
	{ "/usr/bin/python3", "python3|/usr/bin/gunicorn|-w|4|-b|0.0.0.0:8000|app:app", "app" },
	{ "/usr/bin/python3", "python3|/usr/bin/gunicorn|shop.wsgi:application", "shop.wsgi" },
	{ "/usr/bin/python3", "python3|/usr/bin/gunicorn|--bind=localhost:80|shop", "shop" },
	{ "/usr/bin/python3", "python3|/usr/bin/gunicorn|-b|unix:/run/x.sock|main:create_app()",
	  "main" },
	{ "/usr/bin/python3", "python3|/usr/bin/gunicorn", "gunicorn" },
	{ "/usr/bin/python3", "gunicorn: worker [app:app]", "app" },
	{ "/usr/bin/python3", "python3|-m|uvicorn|--host|0.0.0.0|shop.main:app|--port|80",
	  "shop.main" },
	{ "/usr/bin/python3", "uvicorn|app:app", "app" },
	{ "/usr/bin/python3", "python3|/usr/bin/celery|-A|proj|worker", "proj" },
	{ "/usr/bin/python3", "python3|/usr/bin/flask|--app=shop|run", "shop" },
	{ "/usr/bin/python3", "python3|/usr/bin/flask|run", "flask" },
	{ "/usr/bin/uwsgi-core", "uwsgi|--http|:80|--module|shop.wsgi:application", "shop.wsgi" },
	{ "/usr/bin/node", "node|server.js", "server" },
	{ "/usr/bin/node",
	  "/usr/bin/node|--max-old-space-size=4096|-r|dotenv/config|dist/server.mjs", "server" },
	{ "/usr/bin/node", "node|--require=x|--|api.cjs", "api" },
	{ "/usr/bin/node", "node|-e|1", NULL },
	{ "/usr/bin/node", "node|/srv/node_modules/.bin/ts-node|-P|tsconfig.json|src/api.ts",
	  "api" },
	{ "/usr/bin/node", "node|/usr/bin/npx|-p|serve|http-server@14|-p|80", "http-server" },
	{ "/usr/bin/node", "node|/usr/bin/npm|start", "npm" },
	{ "/usr/bin/node", "npm exec http-server -p 80", "http-server" },
	{ "/usr/bin/node", "npm start|||", NULL },
	{ "/usr/bin/deno", "deno|run|-A|main.ts", "main" },
	{ "/usr/bin/deno", "deno|task|start", NULL },
	{ "/usr/bin/bun", "bun|--cwd|/srv|run|index.ts", "index" },
	{ "/usr/bin/ruby3.1", "ruby|app.rb", "app" },
	{ "/usr/bin/ruby3.1", "ruby|-Ilib|-r|json|-W2|bin/rails|server", "rails" },
	{ "/usr/bin/ruby3.1", "ruby|/usr/bin/bundle|exec|puma|-C|config/puma.rb", "puma" },
	{ "/usr/bin/ruby3.1", "puma 5.6.4 (tcp://0.0.0.0:3000) [shop]", "shop" },
	{ "/usr/bin/ruby3.1", "puma: cluster worker 0: 71 [shop]|||", "shop" },
	{ "/usr/bin/ruby3.1", "sidekiq 7.0 shop [0 of 10 busy]", "sidekiq" },
	{ "/usr/bin/php8.2", "php|-d|memory_limit=1G|artisan|serve", "artisan" },
	{ "/usr/bin/php8.2", "php|-S|localhost:80|-t|public", NULL },
	{ "/usr/bin/php8.2", "php|-f|index.php", "index" },
	{ "/usr/sbin/php-fpm8.2", "php-fpm: pool www", NULL },
	{ "/usr/bin/perl", "/usr/bin/perl|-w|-MCGI|-I|lib|daemon.pl", "daemon" },
	{ "/usr/bin/perl", "perl|-ne|print", NULL },
	{ "/usr/bin/dash", "/bin/sh|/usr/local/bin/entrypoint.sh|x", "entrypoint" },
	{ "/usr/bin/bash", "bash|-ex|-o|pipefail|run.sh", "run" },
	{ "/usr/bin/bash", "bash|+x|run.sh", "run" },
	{ "/usr/bin/bash", "bash|-exc|sleep 1", NULL },
	{ "/usr/bin/bash", "-bash", NULL },
	{ "/usr/bin/bash", "bash|/dev/fd/63", NULL },
	{ "/usr/bin/bash", "bash|/proc/self/fd/3", NULL },
	{ "/bin/busybox", "busybox|sh|loop.sh", "loop" },
	{ "/bin/busybox", "sh|loop.sh", "loop" },
	{ "/usr/bin/dotnet", "dotnet|Shop.Api.dll", "Shop.Api" },
	{ "/usr/bin/dotnet", "dotnet|exec|--runtimeconfig|a.json|/app/Shop.dll", "Shop" },
	{ "/usr/bin/dotnet", "dotnet|run", NULL },
	{ "/usr/lib/erlang/beam.smp", "beam.smp|-W|w|--|-root|/usr|--|-sname|rabbit@host",
	  "rabbit" },
	{ "/usr/sbin/nginx", "nginx: worker process", NULL },
	{ "/usr/sbin/nginx", "nginx|-g|daemon off;", NULL },
	{ "", "", NULL },
};

static struct text split(const char *args, char *buffer)
{
	size_t length = strlen(args);

	for (size_t i = 0; i <= length; i++)
		buffer[i] = (char)(args[i] == '|' ? '\0' : args[i]);
	return (struct text){ buffer, length ? length + 1 : 0 };
}

static void test_samples(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct text program = { samples[i].program, strlen(samples[i].program) }, name;
		char buffer[512];
		struct text args = split(samples[i].args, buffer);
		int error = command_name_find(program, args, &name);

		if (error != (samples[i].name ? 0 : -2))
			fail_msg("%s: %d", samples[i].args, error);
		if (samples[i].name && (name.length != strlen(samples[i].name) ||
					memcmp(name.at, samples[i].name, name.length) != 0))
			fail_msg("%s: %.*s", samples[i].args, (int)name.length, name.at);
	}
}

/* Cut short, a command line may name something else, but never reads past its end. */
static void test_truncated(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
		struct text program = { samples[i].program, strlen(samples[i].program) }, name;
		char buffer[512];
		struct text args = split(samples[i].args, buffer);

		for (size_t length = 0; length <= args.length; length++) {
			char *exact = malloc(length + !length);

			assert_non_null(exact);
			memcpy(exact, buffer, length);
			if (!command_name_find(program, (struct text){ exact, length }, &name)) {
				assert_true(name.length > 0);
				assert_in_range((uintptr_t)name.at, (uintptr_t)exact,
						(uintptr_t)exact + length - name.length);
			}
			free(exact);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),
		cmocka_unit_test(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deliver/otlp_settings.h"
#include "failing_alloc.h"
#include "variables.h"

static struct otlp_settings settings;
static char why[OTLP_SETTINGS_WHY_MAX];

static int read_settings(const char *endpoint, const char *headers_file)
{
	otlp_settings_done(&settings);
	return otlp_settings_read(OTLP_TRACES, endpoint, headers_file, lookup, &settings, why);
}

static int teardown(void **state)
{
	(void)state;
	otlp_settings_done(&settings);
	return 0;
}

static void nothing_named_is_nothing_sent(void **state)
{
	(void)state;
	VARIABLES("OTEL_EXPORTER_OTLP_ENDPOINT", "", "OTEL_EXPORTER_OTLP_COMPRESSION", "zstd");
	assert_int_equal(read_settings(NULL, NULL), 0);
	assert_null(settings.url);
}

static void endpoints_become_urls(void **state)
{
	(void)state;
	VARIABLES("OTEL_EXPORTER_OTLP_ENDPOINT", "http://example.com:4318/base/");
	assert_int_equal(read_settings(NULL, NULL), 0);
	assert_string_equal(settings.url, "http://example.com:4318/base/v1/traces");
	assert_int_equal(read_settings("https://example.org", NULL), 0);
	assert_string_equal(settings.url, "https://example.org/v1/traces");
	VARIABLES("OTEL_EXPORTER_OTLP_ENDPOINT", "http://example.com",
		  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://example.net/as/is/");
	assert_int_equal(read_settings(NULL, NULL), 0);
	assert_string_equal(settings.url, "http://example.net/as/is/");
	assert_int_equal(read_settings("example.org:4318", NULL), -EINVAL);
	assert_non_null(strstr(why, "https://"));
}

static int read_metrics(const char *endpoint)
{
	otlp_settings_done(&settings);
	return otlp_settings_read(OTLP_METRICS, endpoint, NULL, lookup, &settings, why);
}

static void signals_have_variables_of_their_own(void **state)
{
	(void)state;
	VARIABLES("OTEL_EXPORTER_OTLP_ENDPOINT", "http://example.com",
		  "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://example.net",
		  "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "1500", "OTEL_EXPORTER_OTLP_TIMEOUT",
		  "2500");
	assert_int_equal(read_metrics(NULL), 0);
	assert_string_equal(settings.url, "http://example.com/v1/metrics");
	assert_string_equal(settings.what, "metrics");
	assert_int_equal(settings.timeout_ms, 1500);
	assert_int_equal(read_settings(NULL, NULL), 0);
	assert_string_equal(settings.url, "http://example.net");
	assert_string_equal(settings.what, "spans");
	assert_int_equal(settings.timeout_ms, 2500);
	VARIABLES("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://example.org/m",
		  "OTEL_EXPORTER_OTLP_METRICS_HEADERS", "a=b", "OTEL_EXPORTER_OTLP_HEADERS", "c=d");
	assert_int_equal(read_metrics(NULL), 0);
	assert_string_equal(settings.url, "http://example.org/m");
	assert_int_equal(settings.header_count, 1);
	assert_string_equal(settings.headers[0], "a: b");
	assert_int_equal(read_settings(NULL, NULL), 0);
	assert_null(settings.url);
}

static void a_signal_can_be_switched_off(void **state)
{
	(void)state;
	VARIABLES("OTEL_EXPORTER_OTLP_ENDPOINT", "http://example.com", "OTEL_METRICS_EXPORTER",
		  "none");
	assert_int_equal(read_metrics(NULL), 0);
	assert_null(settings.url);
	assert_int_equal(read_settings(NULL, NULL), 0);
	assert_non_null(settings.url);
	assert_int_equal(read_metrics("http://example.org"), 0);
	assert_string_equal(settings.url, "http://example.org/v1/metrics");
	VARIABLES("OTEL_EXPORTER_OTLP_ENDPOINT", "http://example.com", "OTEL_METRICS_EXPORTER",
		  "console,otlp");
	assert_int_equal(read_metrics(NULL), 0);
	assert_non_null(settings.url);
	VARIABLES("OTEL_EXPORTER_OTLP_ENDPOINT", "http://example.com", "OTEL_METRICS_EXPORTER",
		  "prometheus");
	assert_int_equal(read_metrics(NULL), 0);
	assert_null(settings.url);
}

static void passwords_are_not_shown(void **state)
{
	(void)state;
	VARIABLES(NULL);
	assert_int_equal(read_settings("http:"
				       "//me:secret@example.com/a@b",
				       NULL),
			 0);
	assert_string_equal(settings.url, "http:"
					  "//me:secret@example.com/a@b/v1/traces");
	assert_string_equal(settings.shown_url, "http://example.com/a@b/v1/traces");
	assert_int_equal(read_settings("http://example.com/a@b", NULL), 0);
	assert_string_equal(settings.shown_url, settings.url);
}

static void manners_have_defaults(void **state)
{
	(void)state;
	VARIABLES(NULL);
	assert_int_equal(read_settings("http://example.com", NULL), 0);
	assert_int_equal(settings.timeout_ms, 10000);
	assert_true(settings.is_gzip);
	assert_null(settings.certificate);
	VARIABLES("OTEL_EXPORTER_OTLP_TIMEOUT", "2500", "OTEL_EXPORTER_OTLP_COMPRESSION", "none",
		  "OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf", "OTEL_EXPORTER_OTLP_CERTIFICATE",
		  "/ca", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE", "/cert",
		  "OTEL_EXPORTER_OTLP_CLIENT_KEY", "/key", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
		  "3500");
	assert_int_equal(read_settings("http://example.com", NULL), 0);
	assert_int_equal(settings.timeout_ms, 3500);
	assert_false(settings.is_gzip);
	assert_string_equal(settings.certificate, "/ca");
	assert_string_equal(settings.client_certificate, "/cert");
	assert_string_equal(settings.client_key, "/key");
}

static void what_cannot_be_done_is_said(void **state)
{
	static const char *const wrong[][2] = {
		{ "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc" },
		{ "OTEL_EXPORTER_OTLP_COMPRESSION", "zstd" },
		{ "OTEL_EXPORTER_OTLP_TIMEOUT", "10s" },
		{ "OTEL_EXPORTER_OTLP_TIMEOUT", "0" },
		{ "OTEL_EXPORTER_OTLP_TIMEOUT", "-1" },
		{ "OTEL_EXPORTER_OTLP_HEADERS", "no-value" },
		{ "OTEL_EXPORTER_OTLP_HEADERS", "a=b%zz" },
		{ "OTEL_EXPORTER_OTLP_HEADERS", "a=b%0d%0aHost: c" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		VARIABLES(wrong[i][0], wrong[i][1]);
		assert_int_equal(read_settings("http://example.com", NULL), -EINVAL);
		assert_non_null(strstr(why, wrong[i][0]));
	}
}

static void headers_come_from_both(void **state)
{
	char path[] = "/tmp/sonde-headers-XXXXXX";
	FILE *file = fdopen(mkstemp(path), "w");

	(void)state;
	fputs("# of the team\n\nAuthorization:  Bearer a:b\r\nX-Empty:\n", file);
	fclose(file);
	VARIABLES("OTEL_EXPORTER_OTLP_HEADERS", " api-key = a%20b ,,x=1");
	assert_int_equal(read_settings("http://example.com", path), 0);
	assert_int_equal(settings.header_count, 4);
	assert_string_equal(settings.headers[0], "api-key: a b");
	assert_string_equal(settings.headers[1], "x: 1");
	assert_string_equal(settings.headers[2], "Authorization: Bearer a:b");
	assert_string_equal(settings.headers[3], "X-Empty: ");
	file = fopen(path, "w");
	fputs("nonsense\n", file);
	fclose(file);
	assert_int_equal(read_settings("http://example.com", path), -EINVAL);
	unlink(path);
	assert_int_equal(read_settings("http://example.com", path), -ENOENT);
	assert_non_null(strstr(why, path));
}

static void there_are_so_many_headers(void **state)
{
	char many[OTLP_HEADERS_MAX * 4 + 8] = "";

	(void)state;
	for (int i = 0; i < OTLP_HEADERS_MAX; i++)
		strcat(many, "a=b,");
	VARIABLES("OTEL_EXPORTER_OTLP_HEADERS", many);
	assert_int_equal(read_settings("http://example.com", NULL), 0);
	strcat(many, "a=b");
	assert_int_equal(read_settings("http://example.com", NULL), -EINVAL);
}

static void resources_are_of_the_machine(void **state)
{
	struct resource_settings resource;

	(void)state;
	assert_int_equal(resource_settings_read(NULL, "vm", &resource), 0);
	assert_int_equal(resource.count, 1);
	assert_string_equal(resource.attributes[0].key, "host.name");
	assert_string_equal(resource.attributes[0].text, "vm");
	resource_settings_done(&resource);
	assert_int_equal(
		resource_settings_read(
			"host.name=other,service.name=x,process.pid=1,zone=a%2Cb%ff,zone=2", "vm",
			&resource),
		0);
	assert_int_equal(resource.count, 2);
	assert_string_equal(resource.attributes[0].text, "other");
	assert_string_equal(resource.attributes[1].key, "zone");
	assert_string_equal(resource.attributes[1].text, "a,b_");
	resource_settings_done(&resource);
	assert_int_equal(resource_settings_read("zone", "vm", &resource), -EINVAL);
	assert_null(resource.text);
}

static void memory_may_be_short(void **state)
{
	(void)state;
	VARIABLES("OTEL_EXPORTER_OTLP_HEADERS", "a=b,c=d", "OTEL_EXPORTER_OTLP_CERTIFICATE", "/ca");
	FOR_EACH_FAILING_ALLOC(nth)
	{
		struct resource_settings resource;

		if (resource_settings_read("a=b", "vm", &resource) == 0)
			resource_settings_done(&resource);
		if (read_settings("http://example.com", NULL) == 0)
			assert_int_equal(settings.header_count, 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(nothing_named_is_nothing_sent, teardown),
		cmocka_unit_test_teardown(endpoints_become_urls, teardown),
		cmocka_unit_test_teardown(signals_have_variables_of_their_own, teardown),
		cmocka_unit_test_teardown(a_signal_can_be_switched_off, teardown),
		cmocka_unit_test_teardown(passwords_are_not_shown, teardown),
		cmocka_unit_test_teardown(manners_have_defaults, teardown),
		cmocka_unit_test_teardown(what_cannot_be_done_is_said, teardown),
		cmocka_unit_test_teardown(headers_come_from_both, teardown),
		cmocka_unit_test_teardown(there_are_so_many_headers, teardown),
		cmocka_unit_test(resources_are_of_the_machine),
		cmocka_unit_test_teardown(memory_may_be_short, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

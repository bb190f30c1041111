/* SPDX-License-Identifier: Apache-2.0 */
/* Under which name a lookup is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/dns_words.h"

static void shortens_names(void **state)
{
	static const char *const names[][2] = {
		{ "", "." },
		{ "localhost", "localhost" },
		{ "example.com", "example.com" },
		{ "www.example.com", "example.com" },
		{ "a.b.c.d.example.com", "example.com" },
		{ "www.example.co.uk", "example.co.uk" },
		{ "co.uk", "co.uk" },
		{ "www.com.au", "www.com.au" },
		{ "x.company.uk", "company.uk" },
		{ "shop.com.info", "com.info" },
		{ "web.shop.svc.cluster.local", "shop.svc.cluster.local" },
		{ "a.b.web.shop.svc.cluster.local", "shop.svc.cluster.local" },
		{ "10-0-0-1.shop.pod.cluster.local", "shop.pod.cluster.local" },
		{ "svc.cluster.local", "svc.cluster.local" },
		{ "example.com.cluster.local", "cluster.local" },
		{ "mysvc.cluster.local", "cluster.local" },
		{ "cluster.local", "cluster.local" },
		{ "4.3.2.1.in-addr.arpa", "in-addr.arpa" },
		{ "_sip._tcp.example.org", "example.org" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(dns_name_suffix(names[i][0]), names[i][1]);
}

#define LABEL_63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"

static void bounds_what_it_gives(void **state)
{
	static const char two[] = LABEL_63 "." LABEL_63;

	(void)state;
	assert_string_equal(dns_name_suffix("x." LABEL_63 "." LABEL_63), two);
	assert_true(strlen(two) < DNS_SUFFIX_MAX);
	assert_true(strlen(dns_name_suffix("web." LABEL_63 LABEL_63 ".svc.cluster.local")) <
		    DNS_SUFFIX_MAX);
	assert_string_equal(dns_name_suffix("web." LABEL_63 "." LABEL_63 "." LABEL_63 ".co.uk"),
			    LABEL_63 ".co.uk");
}

static void names_types_and_codes(void **state)
{
	(void)state;
	assert_string_equal(dns_type_name(1), "A");
	assert_string_equal(dns_type_name(65), "HTTPS");
	assert_string_equal(dns_type_name(257), "CAA");
	assert_string_equal(dns_type_name(0), "other");
	assert_string_equal(dns_type_name(3), "other");
	assert_string_equal(dns_type_name(260), "other");
	assert_string_equal(dns_type_name(65535), "other");
	assert_null(dns_rcode_name(0));
	assert_string_equal(dns_rcode_name(2), "SERVFAIL");
	assert_string_equal(dns_rcode_name(3), "NXDOMAIN");
	assert_string_equal(dns_rcode_name(11), "DSOTYPENI");
	assert_string_equal(dns_rcode_name(12), "_OTHER");
	assert_string_equal(dns_rcode_name(15), "_OTHER");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(shortens_names),
		cmocka_unit_test(bounds_what_it_gives),
		cmocka_unit_test(names_types_and_codes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

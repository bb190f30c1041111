/* SPDX-License-Identifier: Apache-2.0 */
/* What PostgreSQL 15.20 and its clients said: Q asked, A answered. */
#include "postgresql_talks.h"

static const struct talk_piece simple[] = {
	{ 'Q', 8, "\0\0\0\10\4\322\26/" },
	{ 'A', 1, "N" },
	{ 'Q', 63,
	  "\0\0\0?\0\3\0\0user\0postgres\0database\0postgres\0application_name\0psql\0\0" },
	{ 'A', 414,
	  "R\0\0\0\10\0\0\0\0S\0\0\0\32application_name\0psql\0S\0\0\0\31client_encoding\0"
	  "UTF8\0S\0\0\0\27DateStyle\0ISO, MDY\0S\0\0\0&default_transaction_read_only\0off"
	  "\0S\0\0\0\27in_hot_standby\0off\0S\0\0\0\31integer_datetimes\0on\0S\0\0\0\33Int"
	  "ervalStyle\0postgres\0S\0\0\0\24is_superuser\0on\0S\0\0\0\31server_encoding\0UT"
	  "F8\0S\0\0\0002server_version\00015.20 (Debian 15.20-0+deb12u1)\0S\0\0\0#session"
	  "_authorization\0postgres\0S\0\0\0#standard_conforming_strings\0on\0S\0\0\0\25Ti"
	  "meZone\0Etc/UTC\0K\0\0\0\14\0\0'%\322\232{\330Z\0\0\0\5I" },
	{ 'Q', 32, "Q\0\0\0\37create temp table t(a int)\0" },
	{ 'A', 24, "C\0\0\0\21CREATE TABLE\0Z\0\0\0\5I" },
	{ 'Q', 33, "Q\0\0\0 insert into t values(1),(2)\0" },
	{ 'A', 22, "C\0\0\0\17INSERT 0 2\0Z\0\0\0\5I" },
	{ 'Q', 21, "Q\0\0\0\24select * from t\0" },
	{ 'A', 71,
	  "T\0\0\0\32\0\1a\0\0\0@<\0\1\0\0\0\27\0\4\377\377\377\377\0\0D\0\0\0\13\0\1\0\0\0"
	  "\0011D\0\0\0\13\0\1\0\0\0\0012C\0\0\0\15SELECT 2\0Z\0\0\0\5I" },
	{ 'Q', 37, "Q\0\0\0$update t set a=3; delete from t\0" },
	{ 'A', 34, "C\0\0\0\15UPDATE 2\0C\0\0\0\15DELETE 2\0Z\0\0\0\5I" },
	{ 'Q', 16, "Q\0\0\0\17select 1/0\0" },
	{ 'A', 72,
	  "E\0\0\0ASERROR\0VERROR\0C22012\0Mdivision by zero\0Fint.c\0L869\0Rint4div\0\0Z\0"
	  "\0\0\5I" },
	{ 'Q', 6, "Q\0\0\0\5\0" },
	{ 'A', 11, "I\0\0\0\4Z\0\0\0\5I" },
	{ 'Q', 16, "Q\0\0\0\17/* only */\0" },
	{ 'A', 11, "I\0\0\0\4Z\0\0\0\5I" },
	{ 'Q', 43, "Q\0\0\0*do $$ begin raise notice 'hi'; end $$\0" },
	{ 'A', 134,
	  "N\0\0\0wSNOTICE\0VNOTICE\0C00000\0Mhi\0WPL/pgSQL function inline_code_block lin"
	  "e 1 at RAISE\0Fpl_exec.c\0L3907\0Rexec_stmt_raise\0\0C\0\0\0\7DO\0Z\0\0\0\5I" },
	{ 'Q', 14, "Q\0\0\0\15listen c\0" },
	{ 'A', 18, "C\0\0\0\13LISTEN\0Z\0\0\0\5I" },
	{ 'Q', 14, "Q\0\0\0\15notify c\0" },
	{ 'A', 30, "C\0\0\0\13NOTIFY\0A\0\0\0\13\0\0'%c\0\0Z\0\0\0\5I" },
	{ 'Q', 26, "Q\0\0\0\31set datestyle to iso\0" },
	{ 'A', 15, "C\0\0\0\10SET\0Z\0\0\0\5I" },
	{ 'Q', 63, "Q\0\0\0>with x as (select * from t) insert into t select * from x\0" },
	{ 'A', 22, "C\0\0\0\17INSERT 0 0\0Z\0\0\0\5I" },
	{ 'Q', 11, "Q\0\0\0\12begin\0" },
	{ 'A', 17, "C\0\0\0\12BEGIN\0Z\0\0\0\5T" },
	{ 'Q', 11, "Q\0\0\0\12selec\0" },
	{ 'A', 100,
	  "E\0\0\0]SERROR\0VERROR\0C42601\0Msyntax error at or near \"selec\"\0P1\0Fscan.l"
	  "\0L1188\0Rscanner_yyerror\0\0Z\0\0\0\5E" },
	{ 'Q', 12, "Q\0\0\0\13commit\0" },
	{ 'A', 20, "C\0\0\0\15ROLLBACK\0Z\0\0\0\5I" },
	{ 'Q', 5, "X\0\0\0\4" },
	{ 0, 0, NULL },
};

static const struct talk_piece copy[] = {
	{ 'Q', 63,
	  "\0\0\0?\0\3\0\0user\0postgres\0database\0postgres\0application_name\0psql\0\0" },
	{ 'A', 414,
	  "R\0\0\0\10\0\0\0\0S\0\0\0\32application_name\0psql\0S\0\0\0\31client_encoding\0"
	  "UTF8\0S\0\0\0\27DateStyle\0ISO, MDY\0S\0\0\0&default_transaction_read_only\0off"
	  "\0S\0\0\0\27in_hot_standby\0off\0S\0\0\0\31integer_datetimes\0on\0S\0\0\0\33Int"
	  "ervalStyle\0postgres\0S\0\0\0\24is_superuser\0on\0S\0\0\0\31server_encoding\0UT"
	  "F8\0S\0\0\0002server_version\00015.20 (Debian 15.20-0+deb12u1)\0S\0\0\0#session"
	  "_authorization\0postgres\0S\0\0\0#standard_conforming_strings\0on\0S\0\0\0\25Ti"
	  "meZone\0Etc/UTC\0K\0\0\0\14\0\0'I\314\327i\303Z\0\0\0\5I" },
	{ 'Q', 32, "Q\0\0\0\37create temp table t(a int)\0" },
	{ 'A', 24, "C\0\0\0\21CREATE TABLE\0Z\0\0\0\5I" },
	{ 'Q', 23, "Q\0\0\0\26copy t from stdin\0" },
	{ 'A', 10, "G\0\0\0\11\0\0\1\0\0" },
	{ 'Q', 14, "d\0\0\0\0101\0122\12c\0\0\0\4" },
	{ 'A', 18, "C\0\0\0\13COPY 2\0Z\0\0\0\5I" },
	{ 'Q', 22, "Q\0\0\0\25copy t to stdout\0" },
	{ 'A', 47,
	  "H\0\0\0\11\0\0\1\0\0d\0\0\0\0061\12d\0\0\0\0062\12c\0\0\0\4C\0\0\0\13COPY 2\0Z\0"
	  "\0\0\5I" },
	{ 'Q', 31, "Q\0\0\0\36copy t from stdin (bogus)\0" },
	{ 'A', 101,
	  "E\0\0\0^SERROR\0VERROR\0C42601\0Moption \"bogus\" not recognized\0P20\0Fcopy.c\0"
	  "L598\0RProcessCopyOptions\0\0Z\0\0\0\5I" },
	{ 'Q', 5, "X\0\0\0\4" },
	{ 0, 0, NULL },
};

static const struct talk_piece refused[] = {
	{ 'Q', 63,
	  "\0\0\0?\0\3\0\0user\0postgres\0database\0nosuchdb\0application_name\0psql\0\0" },
	{ 'A', 103,
	  "R\0\0\0\10\0\0\0\0E\0\0\0]SFATAL\0VFATAL\0C3D000\0Mdatabase \"nosuchdb\" does n"
	  "ot exist\0Fpostinit.c\0L948\0RInitPostgres\0\0" },
	{ 0, 0, NULL },
};

static const struct talk_piece prepared[] = {
	{ 'Q', 66,
	  "\0\0\0B\0\3\0\0user\0postgres\0database\0postgres\0application_name\0pgbench\0\0" },
	{ 'A', 417,
	  "R\0\0\0\10\0\0\0\0S\0\0\0\35application_name\0pgbench\0S\0\0\0\31client_encodin"
	  "g\0UTF8\0S\0\0\0\27DateStyle\0ISO, MDY\0S\0\0\0&default_transaction_read_only\0"
	  "off\0S\0\0\0\27in_hot_standby\0off\0S\0\0\0\31integer_datetimes\0on\0S\0\0\0\33"
	  "IntervalStyle\0postgres\0S\0\0\0\24is_superuser\0on\0S\0\0\0\31server_encoding\0"
	  "UTF8\0S\0\0\0002server_version\00015.20 (Debian 15.20-0+deb12u1)\0S\0\0\0#sessi"
	  "on_authorization\0postgres\0S\0\0\0#standard_conforming_strings\0on\0S\0\0\0\25"
	  "TimeZone\0Etc/UTC\0K\0\0\0\14\0\0'h>\316\34\36Z\0\0\0\5I" },
	{ 'Q', 69,
	  "P\0\0\0?P_0\0select abalance from pgbench_accounts where aid = 1;\0\0\0S\0\0\0\4" },
	{ 'A', 11, "1\0\0\0\4Z\0\0\0\5I" },
	{ 'Q', 40, "B\0\0\0\21\0P_0\0\0\0\0\0\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0\0\0S\0\0\0\4" },
	{ 'A', 71,
	  "2\0\0\0\4T\0\0\0!\0\1abalance\0\0\0@%\0\3\0\0\0\27\0\4\377\377\377\377\0\0D\0\0"
	  "\0\13\0\1\0\0\0\0010C\0\0\0\15SELECT 1\0Z\0\0\0\5I" },
	{ 'Q', 26, "P\0\0\0\24P_1\0select 1;\0\0\0S\0\0\0\4" },
	{ 'A', 11, "1\0\0\0\4Z\0\0\0\5I" },
	{ 'Q', 40, "B\0\0\0\21\0P_1\0\0\0\0\0\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0\0\0S\0\0\0\4" },
	{ 'A', 71,
	  "2\0\0\0\4T\0\0\0!\0\1?column?\0\0\0\0\0\0\0\0\0\0\27\0\4\377\377\377\377\0\0D\0"
	  "\0\0\13\0\1\0\0\0\0011C\0\0\0\15SELECT 1\0Z\0\0\0\5I" },
	{ 'Q', 40, "B\0\0\0\21\0P_0\0\0\0\0\0\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0\0\0S\0\0\0\4" },
	{ 'A', 71,
	  "2\0\0\0\4T\0\0\0!\0\1abalance\0\0\0@%\0\3\0\0\0\27\0\4\377\377\377\377\0\0D\0\0"
	  "\0\13\0\1\0\0\0\0010C\0\0\0\15SELECT 1\0Z\0\0\0\5I" },
	{ 'Q', 40, "B\0\0\0\21\0P_1\0\0\0\0\0\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0\0\0S\0\0\0\4" },
	{ 'A', 71,
	  "2\0\0\0\4T\0\0\0!\0\1?column?\0\0\0\0\0\0\0\0\0\0\27\0\4\377\377\377\377\0\0D\0"
	  "\0\0\13\0\1\0\0\0\0011C\0\0\0\15SELECT 1\0Z\0\0\0\5I" },
	{ 'Q', 5, "X\0\0\0\4" },
	{ 0, 0, NULL },
};

static const struct talk_piece pipeline[] = {
	{ 'Q', 66,
	  "\0\0\0B\0\3\0\0user\0postgres\0database\0postgres\0application_name\0pgbench\0\0" },
	{ 'A', 417,
	  "R\0\0\0\10\0\0\0\0S\0\0\0\35application_name\0pgbench\0S\0\0\0\31client_encodin"
	  "g\0UTF8\0S\0\0\0\27DateStyle\0ISO, MDY\0S\0\0\0&default_transaction_read_only\0"
	  "off\0S\0\0\0\27in_hot_standby\0off\0S\0\0\0\31integer_datetimes\0on\0S\0\0\0\33"
	  "IntervalStyle\0postgres\0S\0\0\0\24is_superuser\0on\0S\0\0\0\31server_encoding\0"
	  "UTF8\0S\0\0\0002server_version\00015.20 (Debian 15.20-0+deb12u1)\0S\0\0\0#sessi"
	  "on_authorization\0postgres\0S\0\0\0#standard_conforming_strings\0on\0S\0\0\0\25"
	  "TimeZone\0Etc/UTC\0K\0\0\0\14\0\0'w.\252\320\31Z\0\0\0\5I" },
	{ 'Q', 190,
	  "P\0\0\0\16\0begin;\0\0\0B\0\0\0\16\0\0\0\0\0\0\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0"
	  "\0\0\0P\0\0\0<\0select abalance from pgbench_accounts where aid = 1;\0\0\0B\0\0"
	  "\0\16\0\0\0\0\0\0\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0\0\0P\0\0\0\14\0end;\0\0\0"
	  "B\0\0\0\16\0\0\0\0\0\0\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0\0\0S\0\0\0\4" },
	{ 'A', 129,
	  "1\0\0\0\0042\0\0\0\4n\0\0\0\4C\0\0\0\12BEGIN\0001\0\0\0\0042\0\0\0\4T\0\0\0!\0\1"
	  "abalance\0\0\0@%\0\3\0\0\0\27\0\4\377\377\377\377\0\0D\0\0\0\13\0\1\0\0\0\0010C"
	  "\0\0\0\15SELECT 1\0001\0\0\0\0042\0\0\0\4n\0\0\0\4C\0\0\0\13COMMIT\0Z\0\0\0\5I" },
	{ 'Q', 190,
	  "P\0\0\0\16\0begin;\0\0\0B\0\0\0\16\0\0\0\0\0\0\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0"
	  "\0\0\0P\0\0\0<\0select abalance from pgbench_accounts where aid = 1;\0\0\0B\0\0"
	  "\0\16\0\0\0\0\0\0\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0\0\0P\0\0\0\14\0end;\0\0\0"
	  "B\0\0\0\16\0\0\0\0\0\0\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0\0\0S\0\0\0\4" },
	{ 'A', 129,
	  "1\0\0\0\0042\0\0\0\4n\0\0\0\4C\0\0\0\12BEGIN\0001\0\0\0\0042\0\0\0\4T\0\0\0!\0\1"
	  "abalance\0\0\0@%\0\3\0\0\0\27\0\4\377\377\377\377\0\0D\0\0\0\13\0\1\0\0\0\0010C"
	  "\0\0\0\15SELECT 1\0001\0\0\0\0042\0\0\0\4n\0\0\0\4C\0\0\0\13COMMIT\0Z\0\0\0\5I" },
	{ 'Q', 5, "X\0\0\0\4" },
	{ 0, 0, NULL },
};

static const struct talk_piece psycopg[] = {
	{ 'Q', 41, "\0\0\0)\0\3\0\0user\0postgres\0database\0postgres\0\0" },
	{ 'A', 410,
	  "R\0\0\0\10\0\0\0\0S\0\0\0\26application_name\0\0S\0\0\0\31client_encoding\0UTF8"
	  "\0S\0\0\0\27DateStyle\0ISO, MDY\0S\0\0\0&default_transaction_read_only\0off\0S\0"
	  "\0\0\27in_hot_standby\0off\0S\0\0\0\31integer_datetimes\0on\0S\0\0\0\33Interval"
	  "Style\0postgres\0S\0\0\0\24is_superuser\0on\0S\0\0\0\31server_encoding\0UTF8\0S"
	  "\0\0\0002server_version\00015.20 (Debian 15.20-0+deb12u1)\0S\0\0\0#session_auth"
	  "orization\0postgres\0S\0\0\0#standard_conforming_strings\0on\0S\0\0\0\25TimeZon"
	  "e\0Etc/UTC\0K\0\0\0\14\0\0'\205\23\327\217\340Z\0\0\0\5I" },
	{ 'Q', 69, "Q\0\0\0Dcreate temp table t(a int unique deferrable initially deferred)\0" },
	{ 'A', 24, "C\0\0\0\21CREATE TABLE\0Z\0\0\0\5I" },
	{ 'Q', 217,
	  "P\0\0\0%\0insert into t values ($1)\0\0\1\0\0\0\25B\0\0\0\26\0\0\0\1\0\1\0\1\0\0"
	  "\0\2\0\1\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0\0\0P\0\0\0%\0insert into t values "
	  "($1)\0\0\1\0\0\0\25B\0\0\0\26\0\0\0\1\0\1\0\1\0\0\0\2\0\2\0\1\0\0D\0\0\0\6P\0E\0"
	  "\0\0\11\0\0\0\0\0P\0\0\0\27\0select * from t\0\0\0B\0\0\0\16\0\0\0\0\0\0\0\1\0\0"
	  "D\0\0\0\6P\0E\0\0\0\11\0\0\0\0\0S\0\0\0\4" },
	{ 'A', 143,
	  "1\0\0\0\0042\0\0\0\4n\0\0\0\4C\0\0\0\17INSERT 0 1\0001\0\0\0\0042\0\0\0\4n\0\0\0"
	  "\4C\0\0\0\17INSERT 0 1\0001\0\0\0\0042\0\0\0\4T\0\0\0\32\0\1a\0\0\0@B\0\1\0\0\0"
	  "\27\0\4\377\377\377\377\0\0D\0\0\0\13\0\1\0\0\0\0011D\0\0\0\13\0\1\0\0\0\0012C\0"
	  "\0\0\15SELECT 2\0Z\0\0\0\5I" },
	{ 'Q', 225,
	  "P\0\0\0%\0insert into t values ($1)\0\0\1\0\0\0\25B\0\0\0\26\0\0\0\1\0\1\0\1\0\0"
	  "\0\2\0\5\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0\0\0P\0\0\0\27\0select 1/$1\0\0\1\0"
	  "\0\0\25B\0\0\0\26\0\0\0\1\0\1\0\1\0\0\0\2\0\0\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0"
	  "\0\0\0P\0\0\0%\0insert into t values ($1)\0\0\1\0\0\0\25B\0\0\0\26\0\0\0\1\0\1\0"
	  "\1\0\0\0\2\0\6\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0\0\0S\0\0\0\4" },
	{ 'A', 110,
	  "1\0\0\0\0042\0\0\0\4n\0\0\0\4C\0\0\0\17INSERT 0 1\0001\0\0\0\4E\0\0\0CSERROR\0V"
	  "ERROR\0C22012\0Mdivision by zero\0Fint.c\0L1127\0Rint42div\0\0Z\0\0\0\5I" },
	{ 'Q', 23, "Q\0\0\0\26copy t from stdin\0" },
	{ 'A', 10, "G\0\0\0\11\0\0\1\0\0" },
	{ 'Q', 14, "d\0\0\0\0107\0128\12c\0\0\0\4" },
	{ 'A', 18, "C\0\0\0\13COPY 2\0Z\0\0\0\5I" },
	{ 'Q', 22, "Q\0\0\0\25copy t to stdout\0" },
	{ 'A', 61,
	  "H\0\0\0\11\0\0\1\0\0d\0\0\0\0061\12d\0\0\0\0062\12d\0\0\0\0067\12d\0\0\0\0068\12"
	  "c\0\0\0\4C\0\0\0\13COPY 4\0Z\0\0\0\5I" },
	{ 'Q', 50, "P\0\0\0,_pg3_0\0select a from t where a=$1\0\0\1\0\0\0\25S\0\0\0\4" },
	{ 'A', 11, "1\0\0\0\4Z\0\0\0\5I" },
	{ 'Q', 51,
	  "B\0\0\0\34\0_pg3_0\0\0\1\0\1\0\1\0\0\0\2\0\0\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0"
	  "\0\0S\0\0\0\4" },
	{ 'A', 52,
	  "2\0\0\0\4T\0\0\0\32\0\1a\0\0\0@B\0\1\0\0\0\27\0\4\377\377\377\377\0\0C\0\0\0\15"
	  "SELECT 0\0Z\0\0\0\5I" },
	{ 'Q', 51,
	  "B\0\0\0\34\0_pg3_0\0\0\1\0\1\0\1\0\0\0\2\0\1\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0"
	  "\0\0S\0\0\0\4" },
	{ 'A', 64,
	  "2\0\0\0\4T\0\0\0\32\0\1a\0\0\0@B\0\1\0\0\0\27\0\4\377\377\377\377\0\0D\0\0\0\13"
	  "\0\1\0\0\0\0011C\0\0\0\15SELECT 1\0Z\0\0\0\5I" },
	{ 'Q', 51,
	  "B\0\0\0\34\0_pg3_0\0\0\1\0\1\0\1\0\0\0\2\0\2\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0"
	  "\0\0S\0\0\0\4" },
	{ 'A', 64,
	  "2\0\0\0\4T\0\0\0\32\0\1a\0\0\0@B\0\1\0\0\0\27\0\4\377\377\377\377\0\0D\0\0\0\13"
	  "\0\1\0\0\0\0012C\0\0\0\15SELECT 1\0Z\0\0\0\5I" },
	{ 'Q', 83,
	  "P\0\0\0%\0insert into t values ($1)\0\0\1\0\0\0\25B\0\0\0\26\0\0\0\1\0\1\0\1\0\0"
	  "\0\2\0\7\0\1\0\0D\0\0\0\6P\0E\0\0\0\11\0\0\0\0\0S\0\0\0\4" },
	{ 'A', 210,
	  "1\0\0\0\0042\0\0\0\4n\0\0\0\4C\0\0\0\17INSERT 0 1\0E\0\0\0\254SERROR\0VERROR\0C"
	  "23505\0Mduplicate key value violates unique constraint \"t_a_key\"\0DKey (a)=(7"
	  ") already exists.\0spg_temp_3\0tt\0nt_a_key\0Fnbtinsert.c\0L664\0R_bt_check_uni"
	  "que\0\0Z\0\0\0\5I" },
	{ 'Q', 14, "Q\0\0\0\15select 2\0" },
	{ 'A', 66,
	  "T\0\0\0!\0\1?column?\0\0\0\0\0\0\0\0\0\0\27\0\4\377\377\377\377\0\0D\0\0\0\13\0"
	  "\1\0\0\0\0012C\0\0\0\15SELECT 1\0Z\0\0\0\5I" },
	{ 'Q', 5, "X\0\0\0\4" },
	{ 0, 0, NULL },
};

static const struct talk_piece asyncpg[] = {
	{ 'Q', 65,
	  "\0\0\0A\0\3\0\0client_encoding\0'utf-8'\0user\0postgres\0database\0postgres\0\0" },
	{ 'A', 410,
	  "R\0\0\0\10\0\0\0\0S\0\0\0\26application_name\0\0S\0\0\0\31client_encoding\0UTF8"
	  "\0S\0\0\0\27DateStyle\0ISO, MDY\0S\0\0\0&default_transaction_read_only\0off\0S\0"
	  "\0\0\27in_hot_standby\0off\0S\0\0\0\31integer_datetimes\0on\0S\0\0\0\33Interval"
	  "Style\0postgres\0S\0\0\0\24is_superuser\0on\0S\0\0\0\31server_encoding\0UTF8\0S"
	  "\0\0\0002server_version\00015.20 (Debian 15.20-0+deb12u1)\0S\0\0\0#session_auth"
	  "orization\0postgres\0S\0\0\0#standard_conforming_strings\0on\0S\0\0\0\25TimeZon"
	  "e\0Etc/UTC\0K\0\0\0\14\0\0'\222\224I\347\246Z\0\0\0\5I" },
	{ 'Q', 12, "Q\0\0\0\13BEGIN;\0" },
	{ 'A', 17, "C\0\0\0\12BEGIN\0Z\0\0\0\5T" },
	{ 'Q', 84,
	  "P\0\0\0005__asyncpg_stmt_1__\0select generate_series(1,5)\0\0\0D\0\0\0\30S__asy"
	  "ncpg_stmt_1__\0H\0\0\0\4" },
	{ 'A', 53,
	  "1\0\0\0\4t\0\0\0\6\0\0T\0\0\0(\0\1generate_series\0\0\0\0\0\0\0\0\0\0\27\0\4\377"
	  "\377\377\377\0\0" },
	{ 'Q', 90,
	  "B\0\0\0006__asyncpg_portal_2__\0__asyncpg_stmt_1__\0\0\1\0\1\0\0\0\1\0\1E\0\0\0"
	  "\35__asyncpg_portal_2__\0\0\0\0\2S\0\0\0\4" },
	{ 'A', 46,
	  "2\0\0\0\4D\0\0\0\16\0\1\0\0\0\4\0\0\0\1D\0\0\0\16\0\1\0\0\0\4\0\0\0\2s\0\0\0\4Z"
	  "\0\0\0\5T" },
	{ 'Q', 35, "E\0\0\0\35__asyncpg_portal_2__\0\0\0\0\2S\0\0\0\4" },
	{ 'A', 41,
	  "D\0\0\0\16\0\1\0\0\0\4\0\0\0\3D\0\0\0\16\0\1\0\0\0\4\0\0\0\4s\0\0\0\4Z\0\0\0\5T" },
	{ 'Q', 35, "E\0\0\0\35__asyncpg_portal_2__\0\0\0\0\2S\0\0\0\4" },
	{ 'A', 35, "D\0\0\0\16\0\1\0\0\0\4\0\0\0\5C\0\0\0\15SELECT 1\0Z\0\0\0\5T" },
	{ 'Q', 13, "Q\0\0\0\14COMMIT;\0" },
	{ 'A', 18, "C\0\0\0\13COMMIT\0Z\0\0\0\5I" },
	{ 'Q', 86,
	  "P\0\0\0007__asyncpg_stmt_3__\0select * from nope where a=$1\0\0\0D\0\0\0\30S__a"
	  "syncpg_stmt_3__\0H\0\0\0\4" },
	{ 'A', 104,
	  "E\0\0\0gSERROR\0VERROR\0C42P01\0Mrelation \"nope\" does not exist\0P15\0Fparse_"
	  "relation.c\0L1392\0RparserOpenTable\0\0" },
	{ 'Q', 5, "S\0\0\0\4" },
	{ 'A', 6, "Z\0\0\0\5I" },
	{ 'Q', 71,
	  "P\0\0\0(__asyncpg_stmt_4__\0select $1::int\0\0\0D\0\0\0\30S__asyncpg_stmt_4__\0"
	  "H\0\0\0\4" },
	{ 'A', 46,
	  "1\0\0\0\4t\0\0\0\12\0\1\0\0\0\27T\0\0\0\35\0\1int4\0\0\0\0\0\0\0\0\0\0\27\0\4\377"
	  "\377\377\377\0\0" },
	{ 'Q', 58,
	  "B\0\0\0*\0__asyncpg_stmt_4__\0\0\1\0\1\0\1\0\0\0\4\0\0\0\3\0\1\0\1E\0\0\0\11\0\0"
	  "\0\0\1S\0\0\0\4" },
	{ 'A', 31, "2\0\0\0\4D\0\0\0\16\0\1\0\0\0\4\0\0\0\3s\0\0\0\4Z\0\0\0\5I" },
	{ 'Q', 5, "X\0\0\0\4" },
	{ 0, 0, NULL },
};

static const struct talk_piece cancel[] = {
	{ 'Q', 41, "\0\0\0)\0\3\0\0user\0postgres\0database\0postgres\0\0" },
	{ 'A', 410,
	  "R\0\0\0\10\0\0\0\0S\0\0\0\26application_name\0\0S\0\0\0\31client_encoding\0UTF8"
	  "\0S\0\0\0\27DateStyle\0ISO, MDY\0S\0\0\0&default_transaction_read_only\0off\0S\0"
	  "\0\0\27in_hot_standby\0off\0S\0\0\0\31integer_datetimes\0on\0S\0\0\0\33Interval"
	  "Style\0postgres\0S\0\0\0\24is_superuser\0on\0S\0\0\0\31server_encoding\0UTF8\0S"
	  "\0\0\0002server_version\00015.20 (Debian 15.20-0+deb12u1)\0S\0\0\0#session_auth"
	  "orization\0postgres\0S\0\0\0#standard_conforming_strings\0on\0S\0\0\0\25TimeZon"
	  "e\0Etc/UTC\0K\0\0\0\14\0\0'\235g7\367\330Z\0\0\0\5I" },
	{ 'Q', 11, "Q\0\0\0\12BEGIN\0" },
	{ 'A', 17, "C\0\0\0\12BEGIN\0Z\0\0\0\5T" },
	{ 'Q', 24, "Q\0\0\0\27select pg_sleep(5)\0" },
	{ 'A', 145,
	  "T\0\0\0!\0\1pg_sleep\0\0\0\0\0\0\0\0\0\10\346\0\4\377\377\377\377\0\0E\0\0\0hSE"
	  "RROR\0VERROR\0C57014\0Mcanceling statement due to user request\0Fpostgres.c\0L3"
	  "349\0RProcessInterrupts\0\0Z\0\0\0\5E" },
	{ 'Q', 5, "X\0\0\0\4" },
	{ 0, 0, NULL },
};

static const struct talk_piece cancel_b[] = {
	{ 'Q', 16, "\0\0\0\20\4\322\26.\0\0'\235g7\367\330" },
	{ 0, 0, NULL },
};

static const struct talk_piece pg8000[] = {
	{ 'Q', 23, "\0\0\0\27\0\3\0\0user\0postgres\0\0" },
	{ 'A', 410,
	  "R\0\0\0\10\0\0\0\0S\0\0\0\26application_name\0\0S\0\0\0\31client_encoding\0UTF8"
	  "\0S\0\0\0\27DateStyle\0ISO, MDY\0S\0\0\0&default_transaction_read_only\0off\0S\0"
	  "\0\0\27in_hot_standby\0off\0S\0\0\0\31integer_datetimes\0on\0S\0\0\0\33Interval"
	  "Style\0postgres\0S\0\0\0\24is_superuser\0on\0S\0\0\0\31server_encoding\0UTF8\0S"
	  "\0\0\0002server_version\00015.20 (Debian 15.20-0+deb12u1)\0S\0\0\0#session_auth"
	  "orization\0postgres\0S\0\0\0#standard_conforming_strings\0on\0S\0\0\0\25TimeZon"
	  "e\0Etc/UTC\0K\0\0\0\14\0\0'\271&:4\255Z\0\0\0\5I" },
	{ 'Q', 84,
	  "P\0\0\0+pg8000_statement_0\0begin transaction\0\0\0H\0\0\0\4D\0\0\0\30Spg8000_s"
	  "tatement_0\0H\0\0\0\4S\0\0\0\4" },
	{ 'A', 23, "1\0\0\0\4t\0\0\0\6\0\0n\0\0\0\4Z\0\0\0\5I" },
	{ 'Q', 86,
	  "B\0\0\0-pg8000_portal_0\0pg8000_statement_0\0\0\0\0\0\0\0H\0\0\0\4E\0\0\0\30pg8"
	  "000_portal_0\0\0\0\0dH\0\0\0\4S\0\0\0\4" },
	{ 'A', 22, "2\0\0\0\4C\0\0\0\12BEGIN\0Z\0\0\0\5T" },
	{ 'Q', 32, "C\0\0\0\25Ppg8000_portal_0\0H\0\0\0\4S\0\0\0\4" },
	{ 'A', 11, "3\0\0\0\4Z\0\0\0\5T" },
	{ 'Q', 90,
	  "P\0\0\0001pg8000_statement_1\0select 1 where 1=$1\0\0\1\0\0\2\301H\0\0\0\4D\0\0"
	  "\0\30Spg8000_statement_1\0H\0\0\0\4S\0\0\0\4" },
	{ 'A', 56,
	  "1\0\0\0\4t\0\0\0\12\0\1\0\0\0\27T\0\0\0!\0\1?column?\0\0\0\0\0\0\0\0\0\0\27\0\4"
	  "\377\377\377\377\0\0Z\0\0\0\5T" },
	{ 'Q', 95,
	  "B\0\0\0006pg8000_portal_1\0pg8000_statement_1\0\0\1\0\0\0\1\0\0\0\0011\0\1\0\1H"
	  "\0\0\0\4E\0\0\0\30pg8000_portal_1\0\0\0\0dH\0\0\0\4S\0\0\0\4" },
	{ 'A', 40, "2\0\0\0\4D\0\0\0\16\0\1\0\0\0\4\0\0\0\1C\0\0\0\15SELECT 1\0Z\0\0\0\5T" },
	{ 'Q', 32, "C\0\0\0\25Ppg8000_portal_1\0H\0\0\0\4S\0\0\0\4" },
	{ 'A', 11, "3\0\0\0\4Z\0\0\0\5T" },
	{ 'Q', 95,
	  "B\0\0\0006pg8000_portal_2\0pg8000_statement_1\0\0\1\0\0\0\1\0\0\0\0012\0\1\0\1H"
	  "\0\0\0\4E\0\0\0\30pg8000_portal_2\0\0\0\0dH\0\0\0\4S\0\0\0\4" },
	{ 'A', 25, "2\0\0\0\4C\0\0\0\15SELECT 0\0Z\0\0\0\5T" },
	{ 'Q', 32, "C\0\0\0\25Ppg8000_portal_2\0H\0\0\0\4S\0\0\0\4" },
	{ 'A', 11, "3\0\0\0\4Z\0\0\0\5T" },
	{ 'Q', 73,
	  "P\0\0\0 pg8000_statement_2\0commit\0\0\0H\0\0\0\4D\0\0\0\30Spg8000_statement_2\0"
	  "H\0\0\0\4S\0\0\0\4" },
	{ 'A', 23, "1\0\0\0\4t\0\0\0\6\0\0n\0\0\0\4Z\0\0\0\5T" },
	{ 'Q', 86,
	  "B\0\0\0-pg8000_portal_3\0pg8000_statement_2\0\0\0\0\0\0\0H\0\0\0\4E\0\0\0\30pg8"
	  "000_portal_3\0\0\0\0dH\0\0\0\4S\0\0\0\4" },
	{ 'A', 23, "2\0\0\0\4C\0\0\0\13COMMIT\0Z\0\0\0\5I" },
	{ 'Q', 32, "C\0\0\0\25Ppg8000_portal_3\0H\0\0\0\4S\0\0\0\4" },
	{ 'A', 11, "3\0\0\0\4Z\0\0\0\5I" },
	{ 'Q', 5, "X\0\0\0\4" },
	{ 0, 0, NULL },
};

const struct talk_piece *const postgresql_talks[TALK_COUNT] = {
	[TALK_SIMPLE] = simple,	    [TALK_COPY] = copy,		[TALK_REFUSED] = refused,
	[TALK_PREPARED] = prepared, [TALK_PIPELINE] = pipeline, [TALK_PSYCOPG] = psycopg,
	[TALK_ASYNCPG] = asyncpg,   [TALK_CANCEL] = cancel,	[TALK_CANCEL_B] = cancel_b,
	[TALK_PG8000] = pg8000,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* See mongodb_words.h. Commands: MongoDB manual, "Database Commands" (4.4 to 8.0). */
#include "protocol/mongodb_words.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sorted. */
static const char *const commands[] = {
	"abortTransaction",
	"aggregate",
	"appendOplogNote",
	"applyOps",
	"authenticate",
	"autoSplitVector",
	"buildInfo",
	"buildinfo",
	"bulkWrite",
	"checkShardingIndex",
	"clearLog",
	"cloneCollectionAsCapped",
	"collMod",
	"collStats",
	"compact",
	"connPoolStats",
	"connectionStatus",
	"convertToCapped",
	"count",
	"create",
	"createIndexes",
	"createRole",
	"createSearchIndexes",
	"createUser",
	"currentOp",
	"dataSize",
	"dbCheck",
	"dbHash",
	"dbStats",
	"delete",
	"distinct",
	"drop",
	"dropAllRolesFromDatabase",
	"dropAllUsersFromDatabase",
	"dropConnections",
	"dropDatabase",
	"dropIndexes",
	"dropRole",
	"dropSearchIndex",
	"dropUser",
	"endSessions",
	"explain",
	"features",
	"filemd5",
	"find",
	"findAndModify",
	"findandmodify",
	"flushRouterConfig",
	"fsync",
	"fsyncUnlock",
	"getClusterParameter",
	"getCmdLineOpts",
	"getDefaultRWConcern",
	"getFreeMonitoringStatus",
	"getLastError",
	"getLog",
	"getMore",
	"getParameter",
	"getShardMap",
	"getnonce",
	"grantPrivilegesToRole",
	"grantRolesToRole",
	"grantRolesToUser",
	"hello",
	"hostInfo",
	"insert",
	"invalidateUserCache",
	"isMaster",
	"isdbgrid",
	"killAllSessions",
	"killAllSessionsByPattern",
	"killCursors",
	"killOp",
	"killSessions",
	"listCollections",
	"listCommands",
	"listDatabases",
	"listIndexes",
	"listSearchIndexes",
	"listShards",
	"lockInfo",
	"logRotate",
	"logout",
	"mapReduce",
	"moveChunk",
	"ping",
	"planCacheClear",
	"planCacheClearFilters",
	"planCacheListFilters",
	"planCacheSetFilter",
	"profile",
	"reIndex",
	"refreshSessions",
	"renameCollection",
	"replSetFreeze",
	"replSetGetConfig",
	"replSetGetStatus",
	"replSetHeartbeat",
	"replSetInitiate",
	"replSetReconfig",
	"replSetRequestVotes",
	"replSetStepDown",
	"replSetSyncFrom",
	"replSetUpdatePosition",
	"revokePrivilegesFromRole",
	"revokeRolesFromRole",
	"revokeRolesFromUser",
	"rolesInfo",
	"rotateCertificates",
	"saslContinue",
	"saslStart",
	"serverStatus",
	"setClusterParameter",
	"setDefaultRWConcern",
	"setFeatureCompatibilityVersion",
	"setFreeMonitoring",
	"setIndexCommitQuorum",
	"setParameter",
	"shardCollection",
	"shutdown",
	"startSession",
	"top",
	"update",
	"updateRole",
	"updateSearchIndex",
	"updateUser",
	"usersInfo",
	"validate",
	"validateDBMetadata",
	"whatsmyuri",
};

/* Of src/mongo/base/error_codes.yml: those below are nearly all taken, then come single ones. */
#define CODE_DENSE_MAX 430

static const int codes[] = { 9001,  10003, 10107, 10334, 11000, 11600, 11602, 12586,  12587,
			     13113, 13297, 13388, 13435, 13436, 14031, 17124, 17280,  20250,
			     31249, 31254, 40324, 40352, 40353, 40413, 40414, 40415,  40602,
			     46841, 50768, 50915, 51024, 51091, 51270, 91331, 5867501 };

static int compare(const void *key, const void *row)
{
	return strcmp(key, *(const char *const *)row);
}

const char *mongodb_command_name(const char *name)
{
	const char *const *found = bsearch(name, commands, sizeof(commands) / sizeof(commands[0]),
					   sizeof(commands[0]), compare);

	if (found)
		return *found;
	return strcmp(name, "ismaster") == 0 ? "isMaster" : "other";
}

void mongodb_code_text(int64_t code, char out[MONGODB_CODE_BYTES])
{
	bool is_known = code > 0 && code <= CODE_DENSE_MAX;

	for (size_t i = 0; !is_known && i < sizeof(codes) / sizeof(codes[0]); i++)
		is_known = codes[i] == code;
	if (is_known)
		(void)snprintf(out, MONGODB_CODE_BYTES, "%d", (int)code);
	else
		memcpy(out, "_OTHER", sizeof("_OTHER"));
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Source: the message definitions of Kafka 4.1 (clients/src/main/resources/common/message), and of 3.9 for what that dropped. Of a
 * message only the fields up to the last that matters are written down. */
#include "protocol/kafka_words.h"

#include <stddef.h>

#define ALL 0, UINT8_MAX
#define FROM(version) version, UINT8_MAX
#define PLAIN(kind, ...)                                 \
	{                                                \
		FIELD_##kind, MEANS_NOTHING, __VA_ARGS__ \
	}
#define MEANT(kind, meaning, ...)                          \
	{                                                  \
		FIELD_##kind, MEANS_##meaning, __VA_ARGS__ \
	}
#define ARRAY(...) PLAIN(ARRAY, __VA_ARGS__)
#define ARRAY_END PLAIN(ARRAY_END, ALL)
#define TAGS PLAIN(TAGS, ALL)
#define END PLAIN(END, ALL)
#define REQUEST_HEADER PLAIN(CLIENT_ID, ALL), TAGS
#define ANSWER_HEADER TAGS

static const struct kafka_field produce_request[] = {
	REQUEST_HEADER,
	PLAIN(STRING, FROM(3)), /* transactional id */
	MEANT(I16, ACKS, ALL),
	PLAIN(I32, ALL), /* timeout */
	MEANT(ARRAY, TOPICS, ALL),
	MEANT(STRING, TOPIC, 0, 12),
	MEANT(UUID, TOPIC_ID, FROM(13)),
	ARRAY(ALL),	 /* partitions */
	PLAIN(I32, ALL), /* index */
	PLAIN(RECORDS, ALL),
	TAGS,
	ARRAY_END,
	TAGS,
	ARRAY_END,
	END,
};

static const struct kafka_field produce_answer[] = {
	ANSWER_HEADER,
	ARRAY(ALL), /* topics */
	PLAIN(STRING, 0, 12),
	PLAIN(UUID, FROM(13)),
	ARRAY(ALL),	 /* partitions */
	PLAIN(I32, ALL), /* index */
	MEANT(I16, ERROR, ALL),
	PLAIN(I64, ALL),     /* base offset */
	PLAIN(I64, FROM(2)), /* append time */
	PLAIN(I64, FROM(5)), /* log start offset */
	ARRAY(FROM(8)),	     /* errors of records */
	PLAIN(I32, ALL),     /* index */
	PLAIN(STRING, ALL),  /* message */
	TAGS,
	ARRAY_END,
	PLAIN(STRING, FROM(8)), /* error message */
	TAGS,
	ARRAY_END,
	TAGS,
	ARRAY_END,
	END,
};

static const struct kafka_field fetch_request[] = {
	REQUEST_HEADER,
	PLAIN(I32, 0, 14),   /* replica id */
	PLAIN(I32, ALL),     /* longest wait */
	PLAIN(I32, ALL),     /* least bytes */
	PLAIN(I32, FROM(3)), /* most bytes */
	PLAIN(I8, FROM(4)),  /* isolation level */
	PLAIN(I32, FROM(7)), /* session id */
	PLAIN(I32, FROM(7)), /* session epoch */
	MEANT(ARRAY, TOPICS, ALL),
	MEANT(STRING, TOPIC, 0, 12),
	MEANT(UUID, TOPIC_ID, FROM(13)),
	END,
};

static const struct kafka_field fetch_answer[] = {
	ANSWER_HEADER,
	PLAIN(I32, FROM(1)), /* throttled */
	MEANT(I16, ERROR, FROM(7)),
	PLAIN(I32, FROM(7)), /* session id */
	MEANT(ARRAY, TOPICS, ALL),
	MEANT(STRING, TOPIC, 0, 12),
	MEANT(UUID, TOPIC_ID, FROM(13)),
	ARRAY(ALL),	 /* partitions */
	PLAIN(I32, ALL), /* index */
	MEANT(I16, ERROR, ALL),
	PLAIN(I64, ALL),     /* high watermark */
	PLAIN(I64, FROM(4)), /* last stable offset */
	PLAIN(I64, FROM(5)), /* log start offset */
	ARRAY(FROM(4)),	     /* aborted transactions */
	PLAIN(I64, ALL),     /* producer id */
	PLAIN(I64, ALL),     /* first offset */
	TAGS,
	ARRAY_END,
	PLAIN(I32, FROM(11)), /* preferred replica */
	PLAIN(RECORDS, ALL),
	TAGS,
	ARRAY_END,
	TAGS,
	ARRAY_END,
	END,
};

static const struct kafka_field metadata_answer[] = {
	ANSWER_HEADER,
	PLAIN(I32, FROM(3)),	/* throttled */
	ARRAY(ALL),		/* brokers */
	PLAIN(I32, ALL),	/* node id */
	PLAIN(STRING, ALL),	/* host */
	PLAIN(I32, ALL),	/* port */
	PLAIN(STRING, FROM(1)), /* rack */
	TAGS,
	ARRAY_END,
	PLAIN(STRING, FROM(2)), /* cluster id */
	PLAIN(I32, FROM(1)),	/* controller */
	ARRAY(ALL),		/* topics */
	MEANT(I16, ERROR, ALL),
	MEANT(STRING, LEARNED_NAME, ALL),
	MEANT(UUID, LEARNED_ID, FROM(10)),
	PLAIN(I8, FROM(1)),  /* is internal */
	ARRAY(ALL),	     /* partitions */
	PLAIN(I16, ALL),     /* error: of a leader that is not there */
	PLAIN(I32, ALL),     /* index */
	PLAIN(I32, ALL),     /* leader */
	PLAIN(I32, FROM(7)), /* leader epoch */
	ARRAY(ALL),	     /* replicas */
	PLAIN(I32, ALL),
	ARRAY_END,
	ARRAY(ALL), /* those in sync */
	PLAIN(I32, ALL),
	ARRAY_END,
	ARRAY(FROM(5)), /* those off line */
	PLAIN(I32, ALL),
	ARRAY_END,
	TAGS,
	ARRAY_END,
	PLAIN(I32, FROM(8)), /* operations allowed */
	TAGS,
	ARRAY_END,
	END,
};

#define TOPIC_ERRORS(...)                                                                    \
	{                                                                                    \
		ANSWER_HEADER, __VA_ARGS__, ARRAY(ALL) /* topics */, PLAIN(STRING, 0, 9),    \
			PLAIN(UUID, FROM(10)), ARRAY(ALL) /* partitions */, PLAIN(I32, ALL), \
			MEANT(I16, ERROR, ALL), TAGS, ARRAY_END, TAGS, ARRAY_END, END,       \
	}

static const struct kafka_field offset_commit_answer[] = TOPIC_ERRORS(PLAIN(I32, FROM(3)));
static const struct kafka_field txn_offset_commit_answer[] = TOPIC_ERRORS(PLAIN(I32, ALL));

static const struct kafka_field list_offsets_answer[] = {
	ANSWER_HEADER,
	PLAIN(I32, FROM(2)), /* throttled */
	ARRAY(ALL),	     /* topics */
	PLAIN(STRING, ALL),
	ARRAY(ALL),	 /* partitions */
	PLAIN(I32, ALL), /* index */
	MEANT(I16, ERROR, ALL),
	ARRAY(0, 0), /* offsets */
	PLAIN(I64, ALL),
	ARRAY_END,
	PLAIN(I64, FROM(1)), /* time */
	PLAIN(I64, FROM(1)), /* offset */
	PLAIN(I32, FROM(4)), /* leader epoch */
	TAGS,
	ARRAY_END,
	TAGS,
	ARRAY_END,
	END,
};

static const struct kafka_field offset_fetch_request[] = {
	REQUEST_HEADER,
	MEANT(STRING, GROUP, 0, 7),
	ARRAY(FROM(8)), /* groups */
	MEANT(STRING, GROUP, ALL),
	END,
};

static const struct kafka_field offset_fetch_answer[] = {
	ANSWER_HEADER,
	PLAIN(I32, FROM(3)), /* throttled */
	ARRAY(0, 7),	     /* topics */
	PLAIN(STRING, ALL),
	ARRAY(ALL),	     /* partitions */
	PLAIN(I32, ALL),     /* index */
	PLAIN(I64, ALL),     /* offset */
	PLAIN(I32, FROM(5)), /* leader epoch */
	PLAIN(STRING, ALL),  /* metadata */
	MEANT(I16, ERROR, ALL),
	TAGS,
	ARRAY_END,
	TAGS,
	ARRAY_END,
	MEANT(I16, ERROR, 2, 7),
	ARRAY(FROM(8)),	    /* groups */
	PLAIN(STRING, ALL), /* group */
	ARRAY(ALL),	    /* topics */
	PLAIN(STRING, 8, 9),
	PLAIN(UUID, FROM(10)),
	ARRAY(ALL),	    /* partitions */
	PLAIN(I32, ALL),    /* index */
	PLAIN(I64, ALL),    /* offset */
	PLAIN(I32, ALL),    /* leader epoch */
	PLAIN(STRING, ALL), /* metadata */
	MEANT(I16, ERROR, ALL),
	TAGS,
	ARRAY_END,
	TAGS,
	ARRAY_END,
	MEANT(I16, ERROR, ALL),
	TAGS,
	ARRAY_END,
	END,
};

static const struct kafka_field find_coordinator_answer[] = {
	ANSWER_HEADER,
	PLAIN(I32, FROM(1)), /* throttled */
	MEANT(I16, ERROR, 0, 3),
	ARRAY(FROM(4)),	    /* coordinators */
	PLAIN(STRING, ALL), /* key */
	PLAIN(I32, ALL),    /* node id */
	PLAIN(STRING, ALL), /* host */
	PLAIN(I32, ALL),    /* port */
	MEANT(I16, ERROR, ALL),
	PLAIN(STRING, ALL), /* message */
	TAGS,
	ARRAY_END,
	END,
};

static const struct kafka_field add_partitions_answer[] = {
	ANSWER_HEADER,
	PLAIN(I32, ALL), /* throttled */
	MEANT(I16, ERROR, FROM(4)),
	ARRAY(0, 3), /* topics */
	PLAIN(STRING, ALL),
	ARRAY(ALL),	 /* partitions */
	PLAIN(I32, ALL), /* index */
	MEANT(I16, ERROR, ALL),
	TAGS,
	ARRAY_END,
	TAGS,
	ARRAY_END,
	END,
};

static const struct kafka_field create_topics_answer[] = {
	ANSWER_HEADER,
	PLAIN(I32, FROM(2)), /* throttled */
	ARRAY(ALL),	     /* topics */
	MEANT(STRING, LEARNED_NAME, ALL),
	MEANT(UUID, LEARNED_ID, FROM(7)),
	MEANT(I16, ERROR, ALL),
	END,
};

static const struct kafka_field group_request[] = {
	REQUEST_HEADER,
	MEANT(STRING, GROUP, ALL),
	END,
};

static const struct kafka_field txn_offset_commit_request[] = {
	REQUEST_HEADER,
	PLAIN(STRING, ALL), /* transactional id */
	MEANT(STRING, GROUP, ALL),
	END,
};

static const struct kafka_field add_offsets_request[] = {
	REQUEST_HEADER,
	PLAIN(STRING, ALL), /* transactional id */
	PLAIN(I64, ALL),    /* producer id */
	PLAIN(I16, ALL),    /* producer epoch */
	MEANT(STRING, GROUP, ALL),
	END,
};

/* Answers that begin with an error, or with one after the time for which the client was throttled. */
#define ERROR_AFTER(...)                                                            \
	{                                                                           \
		ANSWER_HEADER, PLAIN(I32, __VA_ARGS__), MEANT(I16, ERROR, ALL), END \
	}

static const struct kafka_field error_first[] = { ANSWER_HEADER, MEANT(I16, ERROR, ALL), END };
static const struct kafka_field error_second[] = ERROR_AFTER(ALL);
static const struct kafka_field error_second_from_1[] = ERROR_AFTER(FROM(1));
static const struct kafka_field error_second_from_2[] = ERROR_AFTER(FROM(2));
/* Its header has no tagged fields in any version, so that all clients understand it (KIP-511). */
static const struct kafka_field api_versions_answer[] = { MEANT(I16, ERROR, ALL), END };

#define NEVER UINT8_MAX

/* In the order of their numbers. */
static const struct kafka_api apis[] = {
	{ "Produce", 13, 9, produce_request, produce_answer },
	{ "Fetch", 18, 12, fetch_request, fetch_answer },
	{ "ListOffsets", 10, 6, NULL, list_offsets_answer },
	{ "Metadata", 13, 9, NULL, metadata_answer },
	{ "LeaderAndIsr", 7, 4, NULL, error_first },
	{ "StopReplica", 4, 2, NULL, error_first },
	{ "UpdateMetadata", 8, 6, NULL, error_first },
	{ "ControlledShutdown", 3, 3, NULL, error_first },
	{ "OffsetCommit", 10, 8, group_request, offset_commit_answer },
	{ "OffsetFetch", 10, 6, offset_fetch_request, offset_fetch_answer },
	{ "FindCoordinator", 6, 3, NULL, find_coordinator_answer },
	{ "JoinGroup", 9, 6, group_request, error_second_from_2 },
	{ "Heartbeat", 4, 4, group_request, error_second_from_1 },
	{ "LeaveGroup", 5, 4, group_request, error_second_from_1 },
	{ "SyncGroup", 5, 4, group_request, error_second_from_1 },
	{ "DescribeGroups", 6, 5, NULL, NULL },
	{ "ListGroups", 5, 3, NULL, error_second_from_1 },
	{ "SaslHandshake", 1, NEVER, NULL, error_first },
	{ "ApiVersions", 4, 3, NULL, api_versions_answer },
	{ "CreateTopics", 7, 5, NULL, create_topics_answer },
	{ "DeleteTopics", 6, 4, NULL, NULL },
	{ "DeleteRecords", 2, 2, NULL, NULL },
	{ "InitProducerId", 6, 2, NULL, error_second },
	{ "OffsetForLeaderEpoch", 4, 4, NULL, NULL },
	{ "AddPartitionsToTxn", 5, 3, NULL, add_partitions_answer },
	{ "AddOffsetsToTxn", 4, 3, add_offsets_request, error_second },
	{ "EndTxn", 5, 3, NULL, error_second },
	{ "WriteTxnMarkers", 1, 1, NULL, NULL },
	{ "TxnOffsetCommit", 5, 3, txn_offset_commit_request, txn_offset_commit_answer },
	{ "DescribeAcls", 3, 2, NULL, error_second },
	{ "CreateAcls", 3, 2, NULL, NULL },
	{ "DeleteAcls", 3, 2, NULL, NULL },
	{ "DescribeConfigs", 4, 4, NULL, NULL },
	{ "AlterConfigs", 2, 2, NULL, NULL },
	{ "AlterReplicaLogDirs", 2, 2, NULL, NULL },
	{ "DescribeLogDirs", 4, 2, NULL, NULL },
	{ "SaslAuthenticate", 2, 2, NULL, error_first },
	{ "CreatePartitions", 3, 2, NULL, NULL },
	{ "CreateDelegationToken", 3, 2, NULL, error_first },
	{ "RenewDelegationToken", 2, 2, NULL, error_first },
	{ "ExpireDelegationToken", 2, 2, NULL, error_first },
	{ "DescribeDelegationToken", 3, 2, NULL, error_first },
	{ "DeleteGroups", 2, 2, NULL, NULL },
	{ "ElectLeaders", 2, 2, NULL, NULL },
	{ "IncrementalAlterConfigs", 1, 1, NULL, NULL },
	{ "AlterPartitionReassignments", 1, 0, NULL, NULL },
	{ "ListPartitionReassignments", 0, 0, NULL, error_second },
	{ "OffsetDelete", 0, NEVER, group_request, error_first },
	{ "DescribeClientQuotas", 1, 1, NULL, error_second },
	{ "AlterClientQuotas", 1, 1, NULL, NULL },
	{ "DescribeUserScramCredentials", 0, 0, NULL, error_second },
	{ "AlterUserScramCredentials", 0, 0, NULL, NULL },
	{ "Vote", 2, 0, NULL, error_first },
	{ "BeginQuorumEpoch", 1, 1, NULL, error_first },
	{ "EndQuorumEpoch", 1, 1, NULL, error_first },
	{ "DescribeQuorum", 2, 0, NULL, error_first },
	{ "AlterPartition", 3, 0, NULL, error_second },
	{ "UpdateFeatures", 2, 0, NULL, error_second },
	{ "Envelope", 0, 0, NULL, NULL },
	{ "FetchSnapshot", 1, 0, NULL, error_second },
	{ "DescribeCluster", 2, 0, NULL, error_second },
	{ "DescribeProducers", 0, 0, NULL, NULL },
	{ "BrokerRegistration", 4, 0, NULL, error_second },
	{ "BrokerHeartbeat", 1, 0, NULL, error_second },
	{ "UnregisterBroker", 0, 0, NULL, error_second },
	{ "DescribeTransactions", 0, 0, NULL, NULL },
	{ "ListTransactions", 2, 0, NULL, error_second },
	{ "AllocateProducerIds", 0, 0, NULL, error_second },
	{ "ConsumerGroupHeartbeat", 1, 0, group_request, error_second },
	{ "ConsumerGroupDescribe", 1, 0, NULL, NULL },
	{ "ControllerRegistration", 0, 0, NULL, error_second },
	{ "GetTelemetrySubscriptions", 0, 0, NULL, error_second },
	{ "PushTelemetry", 0, 0, NULL, error_second },
	{ "AssignReplicasToDirs", 0, 0, NULL, error_second },
	{ "ListConfigResources", 1, 0, NULL, error_second },
	{ "DescribeTopicPartitions", 0, 0, NULL, NULL },
	{ "ShareGroupHeartbeat", 1, 0, group_request, error_second },
	{ "ShareGroupDescribe", 1, 0, NULL, NULL },
	{ "ShareFetch", 1, 0, group_request, error_second },
	{ "ShareAcknowledge", 1, 0, group_request, error_second },
	{ "AddRaftVoter", 0, 0, NULL, error_second },
	{ "RemoveRaftVoter", 0, 0, NULL, error_second },
	{ "UpdateRaftVoter", 0, 0, NULL, error_second },
	{ "InitializeShareGroupState", 0, 0, group_request, NULL },
	{ "ReadShareGroupState", 0, 0, group_request, NULL },
	{ "WriteShareGroupState", 0, 0, group_request, NULL },
	{ "DeleteShareGroupState", 0, 0, group_request, NULL },
	{ "ReadShareGroupStateSummary", 0, 0, group_request, NULL },
	{ "StreamsGroupHeartbeat", 0, 0, group_request, error_second },
	{ "StreamsGroupDescribe", 0, 0, NULL, NULL },
	{ "DescribeShareGroupOffsets", 0, 0, NULL, NULL },
	{ "AlterShareGroupOffsets", 0, 0, group_request, error_second },
	{ "DeleteShareGroupOffsets", 0, 0, group_request, error_second },
};
_Static_assert(sizeof(apis) / sizeof(apis[0]) == 93, "a row each, up to DeleteShareGroupOffsets");

const struct kafka_api *kafka_api_find(uint16_t key)
{
	static const struct kafka_api unknown = { NULL, 0, NEVER, NULL, NULL };

	return key < sizeof(apis) / sizeof(apis[0]) ? &apis[key] : &unknown;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The bounds, computed with 60 decimals; tests/unit/aggregate/test_octave.c holds them against powl. */
#include "aggregate/octave.h"

const struct octave octave_of_ones = {
	.bounds = { 0x8000000000000000u, 0x85aac367cc487b14u, 0x8b95c1e3ea8bd6e6u,
		    0x91c3d373ab11c336u, 0x9837f0518db8a96fu, 0x9ef5326091a111adu,
		    0xa5fed6a9b15138eau, 0xad583eea42a14ac6u, 0xb504f333f9de6484u,
		    0xbd08a39f580c36beu, 0xc5672a115506daddu, 0xce248c151f8480e3u,
		    0xd744fccad69d6af4u, 0xe0ccdeec2a94e111u, 0xeac0c6e7dd24392eu,
		    0xf5257d152486cc2cu, UINT64_MAX },
	.first = { 0, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12, 13, 13, 14, 15, 16 },
	.unit_index = 1,
};

const struct octave octave_of_billions = {
	.bounds = { 0x81ffa7a9549ca6e3u, 0x87c11235836d16a3u, 0x8dc3b8960164a7d9u,
		    0x940a7e28259fb382u, 0x9a9867054d512391u, 0xa1709975dfb06757u,
		    0xa8965f74bf065071u, 0xb00d2843e1060dc2u, 0xb7d88a12d0dd9ea0u,
		    0xbffc43b7e604a922u, 0xc87c3e7d03cdbec3u, 0xd15c9000bf211c1fu,
		    0xdaa17c2cd19555dbu, 0xe44f7742cb56e3ddu, 0xee6b280000000000u,
		    0xf8f969d9b5abf948u, UINT64_MAX },
	.first = { 0, 2, 3, 4, 5, 6, 7, 9, 10, 10, 11, 12, 13, 14, 15, 15 },
	.unit_index = 479,
};

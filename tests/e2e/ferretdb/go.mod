// SPDX-License-Identifier: Apache-2.0
// FerretDB, built from source for the tests: a server that speaks MongoDB's protocol.

module ferretdb-for-tests

go 1.22

require github.com/FerretDB/FerretDB v1.24.0

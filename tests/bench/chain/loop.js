// SPDX-License-Identifier: Apache-2.0
// loop.js UPSTREAM: Node's event loop; calls over kept connections.
'use strict';
const http = require('http');
const agent = new http.Agent({ keepAlive: true });
const upstream = Number(process.argv[2]);

const server = http.createServer((request, response) => {
	http.get({ host: '127.0.0.1', port: upstream, path: request.url, agent }, (answer) => {
		answer.resume();
		answer.on('end', () => response.end('ok'));
	});
});
server.listen(0, '127.0.0.1', 256, () => console.log('ready', server.address().port));

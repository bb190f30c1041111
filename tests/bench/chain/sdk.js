// SPDX-License-Identifier: Apache-2.0
// sdk.js POSTGRESQL REDIS FILE: Node with OpenTelemetry's SDK; asks PostgreSQL and Redis for each request. Its own spans go to
// FILE, a line each.
'use strict';
const fs = require('fs');
const http = require('http');
const { context, propagation, trace, SpanKind } = require('@opentelemetry/api');
const { AsyncLocalStorageContextManager } = require('@opentelemetry/context-async-hooks');
const { W3CTraceContextPropagator } = require('@opentelemetry/core');
const { BasicTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const { Pool } = require('pg');
const Redis = require('ioredis');

const [postgresql, redisPort, path] = process.argv.slice(2);
const file = fs.openSync(path, 'w');
const exporter = {
	export(spans, done) {
		for (const span of spans)
			fs.writeSync(file, JSON.stringify({
				traceId: span.spanContext().traceId, spanId: span.spanContext().spanId,
				kind: span.kind === SpanKind.SERVER ? 2 : 3, path: span.attributes['url.path'],
			}) + '\n');
		done({ code: 0 });
	},
	shutdown: async () => {},
};

const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
propagation.setGlobalPropagator(new W3CTraceContextPropagator());
trace.setGlobalTracerProvider(provider);
const tracer = trace.getTracer('chain');
const pool = new Pool({ host: '127.0.0.1', port: Number(postgresql), user: 'postgres', database: 'postgres', max: 20 });
const redis = new Redis(Number(redisPort), '127.0.0.1', { enableReadyCheck: false });

async function answer(request, response) {
	const number = request.url.split('/').pop();
	const attributes = { 'url.path': request.url };
	for (const call of [() => pool.query(`select 1 as r${number}`), () => redis.get('r' + number)])
		await tracer.startActiveSpan('call', { kind: SpanKind.CLIENT, attributes }, async (span) => {
			await call();
			span.end();
		});
	response.end('ok');
}

const server = http.createServer((request, response) => {
	const parent = propagation.extract(context.active(), request.headers);
	tracer.startActiveSpan('serve', { kind: SpanKind.SERVER, attributes: { 'url.path': request.url } }, parent, (span) =>
		answer(request, response).finally(() => span.end()));
});
server.listen(0, '127.0.0.1', 256, () => console.log('ready', server.address().port));

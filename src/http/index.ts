/** uasync/http: a web-standard HTTP server. */
export type { BodyInit } from './message/body.js';
export { replaceGlobals } from './message/globals.js';
export { type HeadersSource, HttpHeaders as Headers } from './message/headers.js';
export { HttpResponse as Response, type ResponseInit } from './message/response.js';
export type { AccessLogEntry, Answer, Handler, HttpOptions } from './options.js';
export type { NodeServer, ServeNodeOptions } from './server/node-server.js';
export type { RequestInfo } from './server/request-info.js';
export { type ServeTarget, serve } from './server/serve.js';
export { serveNode } from './server/serve-node.js';
export { type HttpThreadsOptions, serveHttpOnThreads } from './server/serve-on-threads.js';
export type { HttpStats, Server } from './server/server.js';
export type { HttpStopOptions } from './server/stopping.js';
export { type FileBody, type FileOptions, file } from './static/file-body.js';
export { type StaticOptions, serveStatic } from './static/serve-static.js';
export type { OpenFile } from './transport/open-file.js';
export type { HttpTlsOptions } from './transport/tls-transport.js';
export type { Upgraded } from './transport/upgrade.js';

/** uasync/http: a web-standard HTTP server. */
export type { BodyInit } from './body.js';
export { replaceGlobals } from './globals.js';
export { type HeadersSource, HttpHeaders as Headers } from './headers.js';
export type { AccessLogEntry, Answer, Handler, HttpOptions } from './options.js';
export type { RequestInfo } from './request-info.js';
export { HttpResponse as Response, type ResponseInit } from './response.js';
export { type ServeTarget, serve } from './serve.js';
export { type NodeServer, type ServeNodeOptions, serveNode } from './serve-node.js';
export { type HttpThreadsOptions, serveHttpOnThreads } from './serve-on-threads.js';
export type { HttpStats, Server } from './server.js';
export { type FileBody, type FileOptions, file } from './static/file-body.js';
export type { OpenFile } from './static/open-file.js';
export { type StaticOptions, serveStatic } from './static/serve-static.js';
export type { HttpStopOptions } from './stopping.js';
export type { HttpTlsOptions } from './tls-transport.js';
export type { Upgraded } from './upgrade.js';

/** uasync/http: a web-standard HTTP server. */
export type { BodyInit } from './body.js';
export { type HeadersSource, HttpHeaders as Headers } from './headers.js';
export type { AccessLogEntry, Answer, Handler, HttpOptions } from './options.js';
export type { RequestInfo } from './request-info.js';
export { HttpResponse as Response, type ResponseInit } from './response.js';
export { type ServeTarget, serve } from './serve.js';
export type { HttpStats, HttpStopOptions, Server } from './server.js';
export type { Upgraded } from './upgrade.js';

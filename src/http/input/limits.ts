/** The limits for peers, all set: see the options of the same names. */
export interface Limits {
  readonly headersTimeout: number;
  readonly requestTimeout: number;
  readonly keepAliveTimeout: number;
  readonly idleTimeout: number;
  readonly maxHeaderSize: number;
  readonly maxHeaders: number;
  readonly maxBodySize: number;
  readonly maxRequestsPerConnection: number;
}

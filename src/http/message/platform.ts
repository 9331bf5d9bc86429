/** The platform's classes at the time of loading: an option replaces them. */
const {
  Request: PlatformRequest,
  Response: PlatformResponse,
  fetch: platformFetch,
} = { Request, Response, fetch };

interface Platform {
  readonly Request: typeof Request;
  readonly Response: typeof Response;
  readonly fetch: typeof fetch;
}

export const platform: Platform = {
  Request: PlatformRequest,
  Response: PlatformResponse,
  fetch: platformFetch,
};

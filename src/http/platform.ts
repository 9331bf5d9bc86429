/** The platform's classes as they were when this module was loaded: an option puts others in their place. */
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

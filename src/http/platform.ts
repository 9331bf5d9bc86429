/** The platform's classes as they were when this module was loaded: an option puts others in their place. */
const {
  Request: PlatformRequest,
  Response: PlatformResponse,
  fetch: platformFetch,
} = { Request, Response, fetch };

export const platform = { Request: PlatformRequest, Response: PlatformResponse, fetch: platformFetch };

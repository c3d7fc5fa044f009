"""REST over HTTP: routes, middlewares, the OpenAPI document; the only room that knows status codes and headers."""

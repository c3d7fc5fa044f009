"use strict";

// Whoever pastes a token alone means one of this scheme.
function completed(request) {
  const given = request.headers.Authorization;
  if (given && !given.includes(" ")) request.headers.Authorization = `Token ${given}`;
  return request;
}

SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  docExpansion: "list",
  filter: true,
  displayRequestDuration: true,
  requestSnippetsEnabled: true,
  // Asking somebody else's server about the document is nothing for a page that loads nothing from elsewhere.
  validatorUrl: null,
  requestInterceptor: completed,
});

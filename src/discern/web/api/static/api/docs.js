"use strict";

const reference = document.getElementById("reference");

function csrfToken() {
  const start = reference.dataset.csrfCookie + "=";
  const cookie = document.cookie.split("; ").find((part) => part.startsWith(start));
  return cookie ? cookie.slice(start.length) : "";
}

SwaggerUIBundle({
  url: reference.dataset.schema,
  domNode: reference,
  deepLinking: true,
  validatorUrl: null,
  requestInterceptor(request) {
    if (request.method && request.method.toUpperCase() !== "GET") {
      request.headers["X-CSRFToken"] = csrfToken();
    }
    return request;
  },
});

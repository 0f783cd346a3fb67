// Shows the shop's OpenAPI document, ready to try out.
SwaggerUIBundle({
  url: "/openapi.json",
  domNode: document.getElementById("docs"),
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  // The badge would send the document's address to a host of Swagger's.
  validatorUrl: null,
  // A link to this page must not be able to show another document, or other settings.
  queryConfigEnabled: false,
  // The operator's token is forgotten with the page.
  persistAuthorization: false,
});

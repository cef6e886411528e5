// Draws the document, and keeps the page to this server: no fonts, telemetry,
// assistant or client from outside, and "Test Request" sends to this origin.
const reference = document.getElementById("reference");
Scalar.createApiReference(reference, {
  url: reference.dataset.document,
  servers: [{ url: location.origin + reference.dataset.base }],
  proxyUrl: "",
  telemetry: false,
  withDefaultFonts: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true,
  showDeveloperTools: "never",
});

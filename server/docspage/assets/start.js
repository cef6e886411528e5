// Draws the document, and keeps the page to this server: no fonts, telemetry,
// assistant or client from outside, and "Test Request" sends to where the document is.
const reference = document.getElementById("reference");
const source = new URL(reference.dataset.document, location.href);
Scalar.createApiReference(reference, {
  url: source.href,
  servers: [{ url: new URL(".", source).href.replace(/\/$/, "") }],
  proxyUrl: "",
  telemetry: false,
  withDefaultFonts: false,
  agent: { disabled: true },
  mcp: { disabled: true },
  hideClientButton: true,
  showDeveloperTools: "never",
});
